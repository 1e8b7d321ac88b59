"""Sizes that both frames and profiles keep to (shared/wire/WIRE.md)."""

FINGERPRINT_BYTES = 8
MAX_RANK = 4
MAX_DIMENSION = 0xFFFF
MAX_ELEMENTS = 1 << 24
"""Elements of one tensor: 64 MiB as float32. VGG-16 at 224x224 has 3.2 million at its widest."""
