"""The way of a frame through the cloud, which is the same whoever brings it: a request or a session."""
