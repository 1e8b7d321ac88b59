"""Measures the others; may import all, and nothing imports it."""
