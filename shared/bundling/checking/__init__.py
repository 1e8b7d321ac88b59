"""Whether a bundle computes what its source does, and the probe by which its users find that out again."""
