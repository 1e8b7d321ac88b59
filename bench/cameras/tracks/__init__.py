"""How well objects are followed from frame to frame, on real clips."""
