"""What the kernel knows of a process: its CPU time and its memory."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def cpu_s(pid: int) -> float:
    """CPU seconds that all threads of a process have taken since its start, in steps of 10 ms."""
    text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    fields = text.rpartition(")")[2].split()  # the name before it may hold spaces
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S  # utime, stime


@dataclass(frozen=True, slots=True)
class Memory:
    """Resident memory of a process, in bytes."""

    resident: int
    peak: int
    """The largest `resident` since its start."""
    own: int
    """Of `resident`: what it has written, which nobody shares."""
    files: int
    """Of `resident`: pages of files, libraries above all; the kernel may take them back."""


def memory(pid: int) -> Memory:
    """Now. Raises OSError once the process has ended."""
    text = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")

    def field(name: str) -> int:
        found = re.search(rf"^{name}:\s+(\d+) kB", text, re.MULTILINE)
        return 1024 * int(found[1]) if found else 0

    return Memory(field("VmRSS"), field("VmHWM"), field("RssAnon"), field("RssFile"))
