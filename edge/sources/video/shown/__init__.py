"""Frames into the pictures that a player shows."""
