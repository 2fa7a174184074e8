"""What a process is told from outside: its settings, its logging and the servers' own files."""
