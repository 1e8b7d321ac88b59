"""Chooses the split point and the codec."""
