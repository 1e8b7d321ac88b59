"""Places of a graph where several tensors cross."""
