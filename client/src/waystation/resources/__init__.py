"""What a station has, a file for each sort: the asynchronous calls and their blocking twins."""
