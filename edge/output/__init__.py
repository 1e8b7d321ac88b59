"""Records, printed lines and the status page."""
