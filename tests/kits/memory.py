"""What a refusal costs."""

from __future__ import annotations

import tracemalloc

import pytest
from kits.picture_files import picture_frame, png_file
from kits.reading import read

from shared.errors import WireError


def assert_refused_in_little_memory(bomb: bytes) -> None:
    """A frame's bytes are refused in at most a mebibyte and two copies of them."""
    read(picture_frame("png", png_file(8, 8)))  # imports Pillow, which is not the bomb's doing
    tracemalloc.start()
    try:
        with pytest.raises(WireError):
            read(bomb)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < (1 << 20) + 2 * len(bomb)
