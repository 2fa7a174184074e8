"""A station watched in a terminal: what is gathered, how it is drawn, and how keys are read."""
