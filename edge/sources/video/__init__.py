"""Reading videos and streams with PyAV: what the container says of its pictures is applied to them."""
