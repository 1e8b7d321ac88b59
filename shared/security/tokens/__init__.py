"""Tokens: what is held of them, the files that hold it, and the one that this process shows."""
