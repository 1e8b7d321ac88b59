"""What the link carries: how fast it is, and how much is on its way."""
