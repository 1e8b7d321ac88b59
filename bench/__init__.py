"""Benchmarks of the other packages; may import all of them, and none imports it."""
