"""Edges, clouds and workers under measurement."""
