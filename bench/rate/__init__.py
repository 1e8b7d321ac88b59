"""Bytes per frame against accuracy."""
