"""The compiled library for this machine, if there is one."""

from __future__ import annotations

import ctypes
import logging
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from shared.process.machine import compiled_library

if TYPE_CHECKING:
    from collections.abc import Callable

_log = logging.getLogger(__name__)

ABI = 2
"""The version of the functions below; pictures.h has the same number."""
FOLDER = Path(__file__).parent / "lib"
_LEVELS = {"x86_64": ("sse4", "avx2"), "aarch64": ("neon",)}

_i32, _i64, _ptr = ctypes.c_int32, ctypes.c_int64, ctypes.c_void_p


class Axis(ctypes.Structure):
    """One direction of a resampling, as pictures.h has it."""

    _fields_ = [
        *((name, _ptr) for name in ("lows", "taps", "weights")),
        *((name, _i32) for name in ("count", "most", "shift")),
    ]


class _Level(ctypes.Structure):
    _fields_ = [("resample", _ptr), ("planes", _ptr)]


class Level(NamedTuple):
    """What one level of a processor's instructions offers; pictures.h says what each function takes. All levels give the same."""

    name: str
    resample: Callable[..., None]
    planes: Callable[..., None]


@cache
def library() -> tuple[Level, ...]:
    """The levels that this processor has, the best last; empty where nothing can be loaded, which one warning tells."""
    try:
        found = compiled_library(FOLDER, "pictures", _LEVELS, _Level, [Axis], ABI)
    except OSError as error:
        _log.warning("pictures are resized without the compiled library, several times slower: %s", error)
        return ()
    resample = ctypes.CFUNCTYPE(None, _ptr, _i64, _i32, _i32, _ptr, _ptr, _ptr, _ptr)
    planes = ctypes.CFUNCTYPE(None, _ptr, _i64, _ptr, _ptr, _i32, _ptr)
    return tuple(
        Level(name, resample(level.resample), planes(level.planes))
        for name, level in (found.levels if found else ())
    )
