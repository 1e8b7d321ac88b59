"""What a process can learn about the machine and the user it runs as."""

from __future__ import annotations

import contextlib
import os
import platform
from pathlib import Path

from shared.process.threads import available_cores

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
