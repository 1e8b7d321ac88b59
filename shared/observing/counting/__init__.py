"""Counters and histograms that are counted without a lock: what is counted often, several times a frame."""
