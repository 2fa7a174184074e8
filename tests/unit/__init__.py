"""Tests of pure decisions: values in, values out."""
