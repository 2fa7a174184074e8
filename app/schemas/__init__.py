"""The shapes that cross the edge, each defined once for every face of the station."""
