"""One edge with several cameras, measured beside an edge with one."""
