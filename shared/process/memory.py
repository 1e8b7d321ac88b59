"""Memory that is not needed any more goes back to the system, as far as the system lets it."""

from __future__ import annotations

import contextlib
import ctypes
import gc
from pathlib import Path

_MAPS = Path("/proc/self/maps")
_DONTNEED = 4  # MADV_DONTNEED, on Linux


def give_back() -> None:
    """Collect garbage, and hand the allocator's free pages back: glibc keeps what a network left behind for itself."""
    gc.collect()
    with contextlib.suppress(AttributeError, OSError):  # another libc
        ctypes.CDLL(None).malloc_trim(0)


def forget_pages(file: Path) -> None:
    """Drop the pages of a file that is mapped for reading. Whoever reads them again gets them from the file again.

    OpenVINO keeps its constants mapped, though after compilation its kernels work on copies in their own layout: the
    size of the network a second time, for nothing.
    """
    with contextlib.suppress(AttributeError, OSError, ValueError):
        advise = ctypes.CDLL(None, use_errno=True).madvise
        for line in _MAPS.read_text().splitlines():
            # Only what cannot have been written to: of that, the file is a copy.
            addresses, rights, *_, path = line.split(maxsplit=5)
            if path == str(file) and rights.startswith("r-"):
                start, end = (int(address, 16) for address in addresses.split("-"))
                advise(ctypes.c_void_p(start), ctypes.c_size_t(end - start), _DONTNEED)
