"""What figures were measured on: without it they cannot be compared with any others."""

from __future__ import annotations

import hashlib
import platform
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from shared.threads import available_cores

_PACKAGES = ("torch", "torchvision", "openvino", "numpy", "opencv-python-headless", "zstandard")


def about(weights: str, source: str) -> str:
    """Date, machine, versions, weights and source in one line; `engine_line` is added by section."""
    packages = ", ".join(f"{name} {_version(name)}" for name in _PACKAGES)
    return (
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {_processor()}, {available_cores()} cores, "
        f"{_memory_gb():.0f} GB, Python {platform.python_version()}, {packages}; "
        f"weights {_named(weights)}; source {_named(source)}"
    )


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return f"unknown processor ({platform.machine()})"


def _memory_gb() -> float:
    first = Path("/proc/meminfo").read_text(encoding="utf-8").splitlines()[0]
    return int(first.split()[1]) * 1024 / 1e9


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _named(path: str) -> str:
    file = Path(path)
    if not file.is_file():
        return path
    return f"{file.name} (sha256 {hashlib.sha256(file.read_bytes()).hexdigest()[:8]})"
