"""A folder of results that take long to compute, shared by processes."""
