"""Deciding whom a message reaches, and putting it there."""
