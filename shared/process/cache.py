"""Small results of long measurements, kept as JSON in the cache folder: whole or not at all, and never the reason of a failure."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import platform
import tempfile
from pathlib import Path
from typing import Any

from shared.process.threads import available_cores

_log = logging.getLogger(__name__)

_MAX_BYTES = 1 << 20
_CPU_INFO = Path("/proc/cpuinfo")


def recall(folder: str, name: str) -> Any:
    """What `keep` kept under this name; None if there is nothing that can be read. `folder` "" keeps nothing."""
    if not folder:
        return None
    try:
        with _path(folder, name).open("rb") as file:
            return json.loads(file.read(_MAX_BYTES))
    except (OSError, ValueError, RecursionError):
        return None


def keep(folder: str, name: str, value: Any) -> None:
    """Replace what is kept under this name; where that cannot be, it is measured again next time."""
    if not folder:
        return
    path = _path(folder, name)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=".keeping-", delete=False) as file:
            json.dump(value, file)
        try:
            Path(file.name).replace(path)
        except OSError:
            Path(file.name).unlink(missing_ok=True)
            raise
    except OSError as error:
        _log.warning("cannot keep %s in %s: %s", path.name, path.parent, error.strerror)


def key_of(*parts: str) -> str:
    """A name for what these parts determine."""
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:24]


def machine() -> str:
    """What computes here: times that were measured on it hold for it."""
    cpu = ""
    with contextlib.suppress(OSError):
        lines = _CPU_INFO.read_text(errors="replace").splitlines()
        cpu = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    return f"{platform.machine()}, {cpu}, {available_cores()} cores"


def _path(folder: str, name: str) -> Path:
    # Path.expanduser raises where nobody's home is known, as in a container without a user's name.
    return Path(os.path.expanduser(folder)) / f"{name}.json"  # noqa: PTH111
