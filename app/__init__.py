"""The HTTP face: authenticate, parse, one call of the broker, render."""
