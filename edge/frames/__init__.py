"""The way of a frame through the edge."""
