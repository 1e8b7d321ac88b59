"""The machine: its processor, what of it this process is granted, its memory, and the disks that are written to."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from shared.process.machine import expand_home, machine
from shared.process.threads import available_cores
from splitdnn.doctor.finding import Finding, State

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edge.config import EdgeSettings

_BUSY = 0.5
"""Runnable processes for each core granted, beside this one, from which times that are measured here mean little."""
_LITTLE_MEMORY_BYTES = 500 << 20
"""An edge with ResNet-50 in float32 takes about 400 MB with its codecs."""
_LITTLE_DISK_BYTES = 1 << 30


def look_at_machine(threads: int) -> Finding:
    """Processor, cores and memory. `threads`: what the settings come to."""
    cores, of_all = available_cores(), os.cpu_count() or 1
    load = os.getloadavg()[0] / of_all
    free = _available_memory()
    text = f"{machine()}, {threads} threads, load {load:.0%}"
    if cores < of_all:
        text += f", {cores} of {of_all} cores granted"
    if free is not None:
        text += f", {free / 1e9:.1f} GB of memory free"
    if threads > cores:
        return Finding(
            "machine",
            State.WRONG,
            text,
            f"give --threads {cores} or none: more threads than cores wait for each other",
        )
    if free is not None and free < _LITTLE_MEMORY_BYTES:
        return Finding(
            "machine",
            State.WRONG,
            text,
            "free some memory: an edge with a network in float32 may take 400 MB",
        )
    if load > _BUSY:
        return Finding(
            "machine",
            State.DOUBTFUL,
            text,
            "others keep the cores busy: the times below are longer than they would be",
        )
    return Finding("machine", State.GOOD, text)


def _available_memory() -> int | None:
    """Bytes that can be taken without swapping: of the machine, or of the container if that has fewer."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    kilobytes = next((int(line.split()[1]) for line in lines if line.startswith("MemAvailable:")), None)
    if kilobytes is None:
        return None
    return min(kilobytes << 10, _cgroup_memory(Path("/sys/fs/cgroup")) or kilobytes << 10)


def _cgroup_memory(folder: Path) -> int | None:
    try:
        most = (folder / "memory.max").read_text(encoding="ascii").strip()
        now = int((folder / "memory.current").read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None
    return None if most == "max" else max(0, int(most) - now)


def look_at_disks(settings: EdgeSettings) -> Finding:
    """Free space where records and bundles are kept."""
    places = {}
    if settings.cache_dir:
        places["cache"] = expand_home(settings.cache_dir)
    if settings.results and settings.results != "-":
        places["records"] = expand_home(settings.results).parent
    return _disks(places, bounded=bool(settings.results_max_bytes or settings.results_max_age_s))


def _disks(places: Mapping[str, Path], *, bounded: bool) -> Finding:
    if not places:
        return Finding("disk", State.GOOD, "nothing is written: no --results, and no --cache-dir")
    said, little, unwritable = [], [], []
    for name, path in places.items():
        there = next((each for each in (path, *path.absolute().parents) if each.exists()), Path("/"))
        free = shutil.disk_usage(there).free
        said.append(f"{free / 1e9:.1f} GB free for {name} in {path}")
        if free < _LITTLE_DISK_BYTES:
            little.append(name)
        if not os.access(there, os.W_OK):
            unwritable.append(str(there))
    text = ", ".join(said)
    if unwritable:
        return Finding(
            "disk",
            State.WRONG,
            text,
            f"this user cannot write in {' and '.join(unwritable)}: change its owner",
        )
    if little:
        return Finding("disk", State.WRONG, text, f"make room for the {' and the '.join(little)}")
    if "records" in places and not bounded:
        return Finding(
            "disk",
            State.DOUBTFUL,
            text,
            "records grow without a limit: give --results-max-bytes or --results-max-age-s",
        )
    return Finding("disk", State.GOOD, text)
