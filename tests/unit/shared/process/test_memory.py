"""What is no longer needed is collected, also where the collector was told to leave alone what there was at the start."""

from __future__ import annotations

import gc
import mmap
import weakref
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from shared.process.memory import forget_pages, give_back

if TYPE_CHECKING:
    from collections.abc import Iterator


class Circle:
    """Refers to itself."""

    def __init__(self) -> None:
        self.itself = self


def test_circles_are_collected_even_if_they_are_frozen() -> None:
    for freeze in (False, True):
        gc.disable()
        try:
            seen = weakref.ref(Circle())
            before = gc.get_freeze_count()
            if freeze:
                gc.freeze()
            assert seen() is not None
            give_back()
            assert seen() is None, freeze
            assert (gc.get_freeze_count() > 0) == (freeze or before > 0)
        finally:
            gc.enable()
            gc.unfreeze()


def resident(file: Path) -> Iterator[int]:
    """The bytes of each mapping of a file that are in memory, by address."""
    found = False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        if line.split()[0].count("-") == 1 and ":" not in line.split()[0]:
            found = line.endswith(f" {file}")
        elif found and line.startswith("Rss:"):
            yield 1024 * int(line.split()[1])


def test_pages_of_a_file_leave_only_a_mapping_that_is_held(tmp_path: Path) -> None:
    """Another one may be gone by then, and somebody's memory be where it was."""
    path = tmp_path / "file"
    size = 1 << 20
    path.write_bytes(b"x" * size)
    with path.open("rb") as file:
        mapped = [mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ) for _ in range(2)]
    arrays = [np.frombuffer(each, np.uint8) for each in mapped]
    assert [int(each.sum()) for each in arrays] == [ord("x") * size] * 2
    assert sorted(resident(path)) == [size] * 2
    forget_pages(path, [int(arrays[0].ctypes.data) + 5])
    assert sorted(resident(path)) == [0, size]
    forget_pages(path, [])
    assert sorted(resident(path)) == [0, size]
    assert [int(each.sum()) for each in arrays] == [ord("x") * size] * 2
