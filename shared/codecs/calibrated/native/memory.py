"""Memory that frames borrow while they are coded: fresh memory costs a fault for each of its pages, in every frame."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

_KEPT = 2
_MAX_KEPT_BYTES = 8 << 20
_ALIGNMENT = 64

_spare: list[NDArray[np.uint8]] = []
"""At most _KEPT pieces of at most _MAX_KEPT_BYTES, whoever needed them last. Appending and taking are atomic."""


@contextlib.contextmanager
def borrowed(size: int) -> Iterator[int]:
    """The address of `size` bytes that nobody else uses until the end of the block; they hold anything."""
    try:
        memory = _spare.pop()
    except IndexError:
        memory = np.empty(0, np.uint8)
    if len(memory) < size + _ALIGNMENT:
        memory = np.empty(size + _ALIGNMENT, np.uint8)
    yield -(-memory.ctypes.data // _ALIGNMENT) * _ALIGNMENT
    if len(_spare) < _KEPT and len(memory) <= _MAX_KEPT_BYTES:
        _spare.append(memory)
