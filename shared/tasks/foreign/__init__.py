"""Tasks of other packages."""
