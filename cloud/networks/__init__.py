"""The networks that a cloud serves: the current one, and those that were current before it."""
