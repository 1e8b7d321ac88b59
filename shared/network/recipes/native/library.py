"""The compiled library for this machine, if there is one."""

from __future__ import annotations

import ctypes
import logging
import platform
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

_log = logging.getLogger(__name__)

ABI = 1
"""The layout of the structures below; pictures.h has the same number."""
FOLDER = Path(__file__).parent / "lib"
_MACHINES = {"x86_64": "x86_64", "AMD64": "x86_64", "aarch64": "aarch64", "arm64": "aarch64"}
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
    machine = _MACHINES.get(platform.machine())
    if sys.platform != "linux" or machine is None:
        return ()
    path = FOLDER / f"pictures-{machine}.so"
    try:
        return tuple(_levels(ctypes.CDLL(str(path)), _LEVELS[machine], path))
    except (OSError, AttributeError) as error:
        _log.warning("pictures are resized without the compiled library, several times slower: %s", error)
        return ()


def _levels(found: Any, names: tuple[str, ...], path: Path) -> list[Level]:
    """Raises OSError if the library is of another version of the sources."""
    if (version := found.splitdnn_abi()) != ABI:
        raise OSError(f"{path} has the layout {version}, not {ABI}")
    found.splitdnn_level.restype = ctypes.POINTER(_Level)
    resample = ctypes.CFUNCTYPE(None, _ptr, _i64, _i32, _i32, _ptr, _ptr, _ptr, _ptr)
    planes = ctypes.CFUNCTYPE(None, _ptr, _i64, _ptr, _ptr, _i32, _ptr)
    levels = [found.splitdnn_level(number).contents for number in range(found.splitdnn_levels())]
    return [
        Level(name, resample(level.resample), planes(level.planes))
        for name, level in zip(names, levels, strict=False)
    ]
