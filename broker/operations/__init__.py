"""How the station itself is doing: its processes, measurements, health."""
