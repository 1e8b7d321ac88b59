"""A tail that is not kept: it passed its check, and is compiled again when the first frame needs it.

An edge whose cloud answers needs its head only. Its tail, of most networks the larger half, waits as files.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from shared.errors import EngineError

if TYPE_CHECKING:
    from pathlib import Path

    from shared.engines.base import Engine
    from shared.engines.half import Half, Tensors
    from shared.network.bundle import Bundle
    from shared.network.partition import SplitPoint


def set_aside(engine: Engine, point: SplitPoint, bundle: Bundle) -> Half:
    """The tail at `point`, compiled and checked now, and then dropped; for any thread. Raises EngineError.

    Its first call compiles it again, and raises EngineError if that fails: also if the bundle's files have been written over. What the
    engine's reference runs in its place is kept.
    """
    had = engine.at_hand("tail", point)
    if had:
        return had
    failed = engine.failed_checks
    half = engine.tail(point)
    if engine.failed_checks > failed:
        return half
    engine.drop("tail", point)
    return _Aside(engine, point, bundle)


class _Aside:
    def __init__(self, engine: Engine, point: SplitPoint, bundle: Bundle) -> None:
        self._engine = engine
        self._point = point
        self._lock = threading.Lock()
        self._half: Half | None = None
        # The engine has mapped the files. One that takes their place in the folder leaves them what they were.
        self._files = {path: _stamp(path) for path in (bundle.network, bundle.constants)}

    def __call__(self, tensors: Tensors) -> Tensors:
        return (self._half or self._ready())(tensors)

    def _ready(self) -> Half:
        with self._lock:
            if self._half is None:
                for path, (file, *rest) in self._files.items():
                    found, *now = _stamp(path)
                    if found == file and now != rest:
                        raise EngineError(f"{path}: was written over since it was loaded; start again")
                self._half = self._engine.tail(self._point)
            return self._half


def _stamp(path: Path) -> tuple[tuple[int, int], int, int]:
    """Which file it is; its size and when it was changed. Zeros if it is not there."""
    try:
        found = path.stat()
    except OSError:
        return (0, 0), 0, 0
    return (found.st_dev, found.st_ino), found.st_size, found.st_mtime_ns
