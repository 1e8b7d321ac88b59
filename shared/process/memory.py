"""Returns memory that is no longer needed to the operating system, where that is possible."""

from __future__ import annotations

import contextlib
import ctypes
import gc
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_MAPS = Path("/proc/self/maps")
_DONTNEED = 4  # MADV_DONTNEED, on Linux
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _MOST_ARENAS = -1, -3, -8  # of glibc's mallopt
_HEAPS = 2
_LARGE_BYTES = 4 << 20
_KEPT_BYTES = 32 << 20


def keep_large_apart() -> None:
    """Have each block above 4 MiB mapped on its own, so that it goes back to the system when it is freed.

    glibc raises that size by itself to 32 MiB once such blocks come and go, and then they leave holes between what stays: a cloud whose
    batches have many sizes took 980 MB in place of 600. Smaller ones, as of most frames, are kept for the next frame.
    """
    with contextlib.suppress(AttributeError, OSError):  # another libc
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_MMAP_THRESHOLD, _LARGE_BYTES)
        mallopt(_TRIM_THRESHOLD, _KEPT_BYTES)


def few_heaps() -> None:
    """Have threads share two heaps: glibc would give each its own, with what its largest moment left in it. 12 MB of an edge's 150."""
    with contextlib.suppress(AttributeError, OSError):  # another libc
        ctypes.CDLL(None).mallopt(_MOST_ARENAS, _HEAPS)


def give_back() -> None:
    """Collect garbage and return the allocator's free pages, which glibc would otherwise keep after a conversion.

    Frozen objects are collected too (shared/observing/event_loop.py freezes what there is when frames are first taken): the
    network of a process that was started long ago is among them.
    """
    frozen = gc.get_freeze_count() > 0
    gc.unfreeze()
    gc.collect()
    if frozen:
        gc.freeze()
    trim()


def trim() -> None:
    """Return the allocator's free pages; other threads run meanwhile."""
    with contextlib.suppress(AttributeError, OSError):  # another libc
        ctypes.CDLL(None).malloc_trim(0)


def forget_pages(file: Path, held: Sequence[int]) -> None:
    """Drop the resident pages of a file that is mapped for reading, where one of these addresses is. A later read loads them again.

    The caller keeps what lies there mapped. Another mapping of the same file may have made way for somebody's memory since it was
    looked for, which would be zeros then.

    OpenVINO keeps its constants mapped, though after compilation its kernels use copies in their own layout: the network
    would take its size in memory twice.
    """
    with contextlib.suppress(AttributeError, OSError, ValueError):
        advise = ctypes.CDLL(None, use_errno=True).madvise
        for line in _MAPS.read_text().splitlines():
            # Only pages that cannot have been written to: the file still holds their content.
            addresses, rights, *_, path = line.split(maxsplit=5)
            if path != str(file) or not rights.startswith("r-"):
                continue
            start, end = (int(address, 16) for address in addresses.split("-"))
            if any(start <= address < end for address in held):
                advise(ctypes.c_void_p(start), ctypes.c_size_t(end - start), _DONTNEED)
