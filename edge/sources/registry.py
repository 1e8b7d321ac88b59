"""Which sources there are: our own, those that installed packages offer by name, and a live one that comes back.

A package offers one in its `pyproject.toml`:

    [project.entry-points."splitdnn.sources"]
    screen = "my_package.screen:make_source"

`--source screen:display=1,fps=5` then calls `make_source({"display": "1", "fps": "5"})`, which returns a Source as
edge/sources/base.py defines it, not opened yet, or raises SettingsError or SourceError. Nothing of the package is imported
unless its source is asked for.
"""

from __future__ import annotations

import logging
import os
import random
import time
from importlib.metadata import entry_points
from threading import Event
from typing import TYPE_CHECKING, Any

from edge.sources.live import Stream, Webcam
from edge.sources.recordings import recording
from edge.sources.synthetic import Synthetic
from shared.codecs.spec import parse_spec
from shared.errors import SettingsError, SourceError, SplitDNNError

if TYPE_CHECKING:
    from collections.abc import Callable

    from prometheus_client import Counter, Gauge

    from edge.sources.base import Picture, Source

_log = logging.getLogger(__name__)

FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 30.0
ENTRY_POINTS = "splitdnn.sources"
_MEMBERS = ("live", "name", "open", "read", "close")


def open_source(spec: str, *, open_timeout_s: float = 10.0, read_timeout_s: float = 10.0) -> Source:
    """The source that `spec` names, not opened yet. Raises SourceError or SettingsError.

    `synthetic:fps=10`         drawn, see edge/sources/synthetic.py
    `0`, `/dev/video0`         a webcam
    `rtsp://…`, `http://…`     a stream
    an existing path           a video, a picture or a folder of pictures
    `NAME`, `NAME:key=value`   a source of an installed package
    """
    if not spec:
        raise SourceError("no source is given; try `synthetic`")
    if spec.partition(":")[0] == "synthetic":
        return Synthetic(spec)
    if spec.isdigit() or spec.startswith("/dev/"):
        return Webcam(spec, open_timeout_s=open_timeout_s, read_timeout_s=read_timeout_s)
    if "://" in spec:
        return Stream(spec, open_timeout_s=open_timeout_s, read_timeout_s=read_timeout_s)
    return (None if os.path.lexists(spec) else _installed(spec)) or recording(spec)


def _installed(spec: str) -> Source | None:
    """The source of an installed package; None if no package offers that name."""
    name = spec.partition(":")[0]
    offers = entry_points(group=ENTRY_POINTS, name=name)
    if not offers:
        return None
    _, options = parse_spec(spec)
    (entry, *others) = offers
    if any(other.value != entry.value for other in others):
        raise SettingsError(
            f"--source {name}: several packages offer it: {', '.join(sorted(each.value for each in offers))}; "
            "uninstall all but one"
        )
    try:
        source: Any = entry.load()(options)
        missing = [member for member in _MEMBERS if not hasattr(source, member)]
    except SplitDNNError:
        raise
    except (Exception, SystemExit) as error:  # it is somebody else's code
        reason = " ".join(str(error).split())
        raise SettingsError(
            f"--source {name}: {entry.value} fails: {type(error).__name__}: {reason}"
        ) from error
    if missing:
        raise SettingsError(
            f"--source {name}: what {entry.value} returns is no source, it lacks {', '.join(missing)}"
        )
    return source  # type: ignore[no-any-return]


class Reconnecting:
    """A source that opens `source` again whenever it is lost, for as long as it takes.

    Cameras are switched off, networks fail, and nobody is at hand to restart the edge.

    Only the first `open` may fail: nothing has worked yet, so the address is probably wrong.
    """

    def __init__(
        self,
        source: Source,
        *,
        up: Gauge,
        reconnects: Counter,
        clock: Callable[[], float] = time.monotonic,
        wait: Callable[[float], object] | None = None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """`up` is 1 while there are frames, `reconnects` counts the attempts; `jitter` gives numbers in [0, 1)."""
        self.live = source.live
        self.name = source.name
        self._source = source
        self._up = up
        self._reconnects = reconnects
        self._clock = clock
        self._stopped = Event()
        self._wait = wait or self._stopped.wait
        self._jitter = jitter
        self._wait_s = FIRST_WAIT_S
        self._up_since = 0.0

    def open(self) -> None:
        """Open it for the first time. Raises SourceError."""
        self._stopped.clear()
        self._source.open()
        self._came_up()

    def read(self) -> Picture | None:
        """(H, W, 3) uint8 BGR, however long it takes; None after `stop`, or if the source has an end."""
        while not self._stopped.is_set():
            try:
                picture = self._source.read()
            except SourceError as error:
                if not self._stopped.is_set():
                    self._recover(error)
            else:
                if picture is None:
                    self._up.set(0)
                return picture
        return None

    def stop(self) -> None:
        """End a `read` that waits, and all later ones. May be called from any thread."""
        self._stopped.set()
        self._source.close()

    def close(self) -> None:
        self.stop()
        self._up.set(0)

    def _recover(self, reason: SourceError) -> None:
        lost_at = self._clock()
        self._up.set(0)
        self._source.close()
        if lost_at - self._up_since > self._wait_s:  # a source that is lost at once keeps its long wait
            self._wait_s = FIRST_WAIT_S
        _log.warning("source lost: %s", reason)
        while not self._stopped.is_set():
            self._wait(
                self._wait_s * (0.5 + self._jitter() / 2)
            )  # so that many edges do not come back at the same time
            self._wait_s = min(2 * self._wait_s, LONGEST_WAIT_S)
            if self._stopped.is_set():
                return
            self._reconnects.inc()
            try:
                self._source.open()
            except SourceError as error:
                if str(error) != str(reason):
                    _log.warning("source still lost: %s", error)
                reason = error
            else:
                self._came_up()
                _log.info("source back: %s, after %.1f s", self.name, self._up_since - lost_at)
                return

    def _came_up(self) -> None:
        self._up.set(1)
        self._up_since = self._clock()
