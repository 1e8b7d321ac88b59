"""The cloud's door: who a request is from, and whether that may do what it asks."""
