"""What figures were measured on: without it they cannot be compared with any others."""

from __future__ import annotations

import hashlib
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from shared.process.threads import available_cores

_PACKAGES = ("torch", "torchvision", "openvino", "numpy", "opencv-python-headless", "zstandard")


def about(weights: str, source: str) -> str:
    """Date, machine, commit, versions, weights and source in one line; `engine_line` is added by section."""
    packages = ", ".join(f"{name} {_version(name)}" for name in _PACKAGES)
    return (
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {_processor()}, {available_cores()} cores, "
        f"{_memory_gb():.0f} GB, commit {_commit()}, Python {platform.python_version()}, {packages}; "
        f"weights {named(weights)}; source {named(source)}"
    )


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return f"unknown processor ({platform.machine()})"


def _memory_gb() -> float:
    first = Path("/proc/meminfo").read_text(encoding="utf-8").splitlines()[0]
    return int(first.split()[1]) * 1024 / 1e9


def _commit() -> str:
    """The checkout's, with a `+` if files have changed since; `unknown` without git, as in an image."""
    try:
        done = subprocess.run(
            ["git", "describe", "--always", "--abbrev=8", "--dirty=+"],  # noqa: S607 - whichever git there is
            cwd=Path(__file__).parent, capture_output=True, text=True, check=False,
        )  # fmt: skip
    except OSError:
        return "unknown"
    return done.stdout.strip() or "unknown"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def named(path: str) -> str:
    """A file's name with the beginning of its SHA-256; anything else as it is."""
    file = Path(path)
    if not file.is_file():
        return path
    return f"{file.name} (sha256 {hashlib.sha256(file.read_bytes()).hexdigest()[:8]})"
