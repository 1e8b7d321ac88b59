"""Streams over thin links: edge and cloud as processes, a live camera before and an emulated link between them."""
