"""Frames as a stream: one connection over which frames and answers travel in a few bytes more than they have (docs/sessions.md)."""
