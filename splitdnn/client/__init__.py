"""A client of a cloud, for programs."""
