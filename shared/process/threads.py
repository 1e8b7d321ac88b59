"""How many threads this process may use: as many as its cgroup grants, not as many as the host has."""

from __future__ import annotations

import logging
import math
import os
from pathlib import Path

_log = logging.getLogger(__name__)
_CGROUP = Path("/sys/fs/cgroup")


def available_cores(cgroup: Path = _CGROUP) -> int:
    """Cores granted by the cgroup's CPU quota (version 2 or 1) and the affinity mask, rounded up, at least 1."""
    cores = float(len(os.sched_getaffinity(0)))
    quota = _quota_v2(cgroup / "cpu.max") or _quota_v1(cgroup / "cpu")
    return max(1, math.ceil(min(cores, quota or cores)))


def limit_threads(requested: int) -> int:
    """Set the number of threads of OpenMP and MKL, and OpenBLAS's to one. Call before anything imports torch or numpy.

    `requested` is the user's setting; 0 means one thread for each core granted. Returns the number chosen.
    """
    cores = available_cores()
    threads = requested or cores
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(threads)
    # numpy uses it for the codecs' small matrices. Its threads spin, so a second one costs more than it saves, and ten times
    # as much beside other busy processes.
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    # Waiting threads sleep instead of spinning: spinning takes the cores from those that work. Measured on two cores with
    # edge, cloud and one more busy process: 0.98 frames/s spinning, 7.65 sleeping; without the third process the same.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    _log.info("threads: %d (%s; cores granted: %d)", threads, "as set" if requested else "automatic", cores)
    return threads


def _quota_v2(path: Path) -> float | None:
    try:
        quota, period = path.read_text().split()
    except (OSError, ValueError):
        return None
    return None if quota == "max" else int(quota) / int(period)


def _quota_v1(folder: Path) -> float | None:
    try:
        quota = int((folder / "cpu.cfs_quota_us").read_text())
        period = int((folder / "cpu.cfs_period_us").read_text())
    except (OSError, ValueError):
        return None
    return None if quota <= 0 else quota / period
