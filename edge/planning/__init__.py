"""Which split point and which codec."""
