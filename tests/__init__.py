"""Tests: unit (pure), redis (a real server), process (real processes), contract (every face)."""
