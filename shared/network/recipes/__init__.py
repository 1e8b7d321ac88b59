"""What recipes stand on: checks of their values, where a picture comes to lie, and resampling."""
