"""Packets into frames, in order, with what was lost and what may be wrong."""
