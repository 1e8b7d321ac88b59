"""The endpoints that take no frame, and what they say."""
