"""Tests on real processes: start, signals, kill -9."""
