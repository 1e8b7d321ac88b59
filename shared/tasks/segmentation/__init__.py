"""The task `segment`: a class for each pixel."""
