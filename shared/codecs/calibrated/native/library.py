"""The compiled library for this machine, if there is one."""

from __future__ import annotations

import ctypes
import logging
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from shared.process.machine import compiled_library

if TYPE_CHECKING:
    from collections.abc import Callable

    from shared.process.machine import Compiled

_log = logging.getLogger(__name__)

ABI = 4
"""The version of the functions below; core.h has the same number."""
FOLDER = Path(__file__).parent / "lib"
_LEVELS = {"x86_64": ("sse4", "avx2", "avx512", "vnni"), "aarch64": ("neon",)}

_i32, _ptr = ctypes.c_int32, ctypes.c_void_p


class Pass(ctypes.Structure):
    """One coding pass, as core.h has it."""

    _fields_ = [
        *(
            (name, _ptr)
            for name in (
                *("same", "around", "beside", "up", "bias", "classes", "following", "kinds", "tables"),
                "positions",
            )
        ),
        *(
            (name, _i32)
            for name in ("kinds_step", "tables_step", "first", "last", "count", "light", "ends_group")
        ),
        *((name, _i32) for name in ("rank", "width", "latent_shift", "shift")),
    ]


class Model(ctypes.Structure):
    """One tensor of a profile, as core.h has it."""

    _fields_ = [
        *((name, _ptr) for name in ("passes", "significance", "starts", "zeros", "sizes")),
        *((f"following_{name}", _ptr) for name in ("significance", "starts", "zeros", "sizes")),
        *((f"following_{name}", _ptr) for name in ("positive", "signs")),
        *((name, _ptr) for name in ("step", "offset", "position_scale", "centroids", "usual")),
        *((name, _ptr) for name in ("inputs", "down", "up", "latent", "outputs")),
        ("threshold", ctypes.c_float),
        *(
            (name, _i32)
            for name in ("pass_count", "rows", "columns", "channels", "levels", "is_signed", "by_size")
        ),
        *((name, _i32) for name in ("channel_first", "most_rank", "most_symbols", "corrector_rank")),
    ]


class History(ctypes.Structure):
    """What is known of the frames before, as core.h has it."""

    _fields_ = [(name, _ptr) for name in ("magnitudes", "negative", "heat", "contexts", "unrest")]


class _Level(ctypes.Structure):
    _fields_ = [
        (name, _ptr)
        for name in (
            "quantise",
            "encode",
            "decode",
            "reconstruct",
            "finish",
            "around",
            "tally_values",
            "tally_sizes",
            "remember",
        )
    ]


class Level(NamedTuple):
    """What one level of a processor's instructions offers; core.h says what each function takes. All levels give the same."""

    name: str
    quantise: Callable[..., int]
    encode: Callable[..., int]
    decode: Callable[..., int]
    reconstruct: Callable[..., None]
    finish: Callable[..., None]
    around: Callable[..., None]
    tally_values: Callable[..., None]
    tally_sizes: Callable[..., None]
    remember: Callable[..., None]


class Library:
    """The functions of one file."""

    def __init__(self, found: Compiled) -> None:
        self._scratch, self._symbols = found.library.splitdnn_scratch, found.library.splitdnn_symbols
        self._scratch.argtypes, self._scratch.restype = (_ptr,), ctypes.c_int64
        self._symbols.argtypes, self._symbols.restype = (_ptr, _i32, _ptr), None
        self.levels = [_level(name, level) for name, level in found.levels]
        """Those that this processor has, the best last."""

    def scratch_bytes(self, model: Model) -> int:
        """What one frame takes while it is coded."""
        return int(self._scratch(ctypes.byref(model)))

    def symbols(self, starts: Any, count: int, out: Any) -> None:
        """Fill `out` (count, 32 bytes each) with what the encoder needs of symbols with these starts (uint32, count + 1)."""
        self._symbols(starts.ctypes.data, count, out.ctypes.data)


def _level(name: str, level: _Level) -> Level:
    i64 = ctypes.c_int64

    def function(which: str, result: Any, *arguments: Any) -> Any:
        return ctypes.CFUNCTYPE(result, *arguments)(getattr(level, which))

    return Level(
        name,
        function("quantise", _i32, *[_ptr] * 3, ctypes.c_float, *[_ptr] * 2),
        function("encode", i64, *[_ptr] * 6),
        function("decode", _i32, _ptr, _ptr, i64, *[_ptr] * 4),
        function("reconstruct", None, *[_ptr] * 5),
        function("finish", None, *[_ptr] * 3),
        function("around", None, *[_ptr] * 4),
        function("tally_values", None, *[_ptr] * 6),
        function("tally_sizes", None, *[_ptr] * 3, _i32, _ptr),
        function("remember", None, *[_ptr] * 8),
    )


def core_name() -> str:
    """What computes the codec here: a level of instructions, or numpy."""
    found = library()
    return found.levels[-1].name if found else "numpy"


@cache
def library() -> Library | None:
    """That of this machine; None where there is none, or none that can be loaded, which one warning tells."""
    try:
        found = compiled_library(FOLDER, "calibrated", _LEVELS, _Level, [Pass, Model], ABI)
    except OSError as error:
        _log.warning("the codec calibrated runs without its compiled core, several times slower: %s", error)
        return None
    return Library(found) if found and found.levels else None
