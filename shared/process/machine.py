"""What a process can learn about the machine and the user it runs as, and the compiled libraries for that machine."""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from shared.process.threads import available_cores

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_CPU_INFO = Path("/proc/cpuinfo")


def machine() -> str:
    """Architecture, processor and number of cores: times measured here hold for machines of the same description."""
    cpu = ""
    with contextlib.suppress(OSError):
        lines = _CPU_INFO.read_text(errors="replace").splitlines()
        cpu = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    return f"{platform.machine()}, {cpu}, {available_cores()} cores"


def processor_features() -> str:
    """What the processor can compute, as the system lists it; empty where it does not.

    Two processors of one name, say in two virtual machines, may differ in it.
    """
    with contextlib.suppress(OSError):
        for line in _CPU_INFO.read_text(errors="replace").splitlines():
            name, _, value = line.partition(":")
            if name.strip() in ("flags", "Features"):  # x86, ARM
                return " ".join(sorted(value.split()))
    return ""


def expand_home(path: str) -> Path:
    """`path` with a leading `~` or `~user` replaced by that home folder, or unchanged if no such home is known.

    `Path.expanduser` raises RuntimeError instead, for example in a container whose user has no entry in /etc/passwd.
    """
    return Path(os.path.expanduser(path))  # noqa: PTH111 - see above


class Compiled(NamedTuple):
    """One of the libraries that scripts/native.py builds."""

    library: ctypes.CDLL
    levels: list[tuple[str, Any]]
    """The levels of instructions that this processor has, the best last: the name of each and its structure of functions."""


def compiled_library(
    folder: Path,
    name: str,
    levels: Mapping[str, Sequence[str]],
    functions: type[ctypes.Structure],
    structures: Sequence[type[ctypes.Structure]],
    abi: int,
) -> Compiled | None:
    """The library `name` for this machine; None for machines that there is none for.

    `levels`: the names of all levels, by architecture; `functions`: what each consists of; `structures`: all that the library takes.
    Raises OSError if it cannot be loaded, or was built from sources of another `abi` or with structures of other sizes.
    """
    machine = platform.machine()
    if sys.platform != "linux" or machine not in levels:
        return None
    path = folder / f"{name}-{machine}.so"
    try:
        library = ctypes.CDLL(str(path))
        layout = abi << 16 | sum(map(ctypes.sizeof, (functions, *structures)))
        if (found := library.splitdnn_layout()) != layout:
            raise OSError(f"{path} has the layout {found:#x}, not {layout:#x}")
        library.splitdnn_level.restype = ctypes.POINTER(functions)
        names = levels[machine][: library.splitdnn_levels()]
        return Compiled(
            library, [(each, library.splitdnn_level(number).contents) for number, each in enumerate(names)]
        )
    except AttributeError as error:
        raise OSError(f"{path}: {error}") from None
