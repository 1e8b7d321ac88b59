"""The compiled part of resampling, which gives the same bytes as numpy; see scripts/native.py."""
