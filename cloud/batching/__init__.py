"""Tensors of many callers, run together."""
