"""Open-loop load."""
