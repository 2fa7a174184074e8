"""Puts Waystation into the configuration of agent CLIs, and takes it out again."""
