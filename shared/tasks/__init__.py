"""Tasks: what the outputs of a network mean."""
