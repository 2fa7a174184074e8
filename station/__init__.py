"""Runs a whole station on one machine: `python -m station` starts what the Procfile lists."""
