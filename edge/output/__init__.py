"""What the edge says of its frames."""
