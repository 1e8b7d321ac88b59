"""One camera of an edge while it runs: its source, what is seen of it, and its records in order."""

from __future__ import annotations

import itertools
import logging
import threading
import time
from typing import TYPE_CHECKING

from edge.cameras.rate import Rate
from edge.cameras.view import View
from edge.frames.origin import Origin
from edge.frames.way import Captured
from edge.output.results import Results
from shared.errors import SourceError
from shared.observing.logs import label_logs
from shared.observing.telemetry import Stopwatch

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from edge.cameras.metrics import CameraMetrics
    from edge.cameras.settings import CameraSettings
    from edge.frames.intake import Intake
    from edge.frames.way import Source
    from edge.output.results import Record
    from edge.sources.base import Shot

_log = logging.getLogger(__name__)


class Camera:
    """Reads one source to its end on a thread of its own. What happens to it is nobody else's business."""

    def __init__(
        self,
        settings: CameraSettings,
        source: Source,
        sinks: Sequence[Callable[[Record], None]],
        metrics: CameraMetrics,
        session: int,
    ) -> None:
        """`sinks` receive each record; `session` (32 bits) makes frame ids unique across cameras, runs and edges."""
        self.settings = settings
        self.name = settings.name
        self.source = source
        self.live = source.live
        self.metrics = metrics
        self.results = Results(sinks)
        self.sequence = itertools.count()
        """Numbers its frames in the order in which they are to be answered."""
        self.dropped = 0
        """Frames that were read, and left out to keep up."""
        self.left_out = 0
        """Frames that its rate leaves out."""
        self.lost: SourceError | None = None
        """What ended it, if that was not the end of its source."""
        self._session = session
        self._view = View(settings)
        self._rate = Rate(settings.fps)
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(
        self,
        intake: Intake[Captured],
        ended: Callable[[Camera], object] = lambda _: None,
        *,
        labelled: bool = False,
    ) -> None:
        """Begin to read. `ended` is called from the camera's thread, after its last frame.

        `labelled`: what is logged there says of which camera it is.
        """
        self.metrics.running.set(1)
        if not self.live:  # a live source says itself whether it is up
            self.metrics.source_up.set(1)

        def run() -> None:
            if labelled:
                label_logs(self.name)
            try:
                self._run(intake)
            finally:
                self._close_source()
                self.metrics.ended()
                ended(self)
                intake.close(self.name)

        self._thread = threading.Thread(target=run, name=f"capture {self.name}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Read no more frames. A read that waits is ended by whoever closes the source."""
        self._stopping.set()

    def join(self, seconds: float) -> None:
        """Wait at most so long for the thread's end: a read may hang."""
        if self._thread:
            self._thread.join(seconds)

    def _run(self, intake: Intake[Captured]) -> None:
        limit, taken = self.settings.frames, 0
        try:
            while not self._stopping.is_set() and (not limit or taken < limit):
                watch = Stopwatch(self.metrics.steps, self.metrics.step_cpu)
                with watch.step("capture"):
                    shot = self.source.read()
                    if shot is None:
                        break
                    frame = self._captured(shot, taken, watch)
                if frame is None:
                    self.left_out += 1
                    self.metrics.frames("left_out").inc()
                    continue
                taken += 1
                dropped = intake.put(self.name, frame)
                self.dropped += dropped
                self.metrics.frames("dropped").inc(dropped)
        except SourceError as error:
            self.lost = error
        except Exception as error:  # noqa: BLE001 - a thread's exception would be lost; this one ends the camera
            _log.exception("reading the source failed")
            self.lost = SourceError(f"{self.source.name}: {error}")

    def _close_source(self) -> None:
        """Now, as other cameras may go on for long: decoders hold pictures, and a stream would be received for nobody."""
        try:
            self.source.close()
        except Exception:  # noqa: BLE001 - its frames are answered
            _log.exception("closing the source failed")

    def _captured(self, shot: Shot, taken: int, watch: Stopwatch) -> Captured | None:
        """The frame as the steps take it; None if it is left out."""
        captured_s = time.monotonic()
        self.metrics.saw_frame()
        self.metrics.damaged_frames.inc(shot.damaged)  # left out or not, as with those that cannot be decoded
        # A recording is read as fast as it can be: what counts is when its frames were.
        if not self._rate.takes(captured_s if self.live else shot.media_time_s):
            return None
        picture, part = self._view(shot.picture)
        origin = Origin(
            number=shot.number,
            taken=taken,
            frame_id=self._session << 32 | taken & 0xFFFFFFFF,
            captured_s=captured_s,
            captured_ns=time.time_ns(),
            size=(shot.picture.shape[0], shot.picture.shape[1]),
            part=part,
            camera=self.name,
            source=self.source.name,
            file=shot.file,
            media_time_s=shot.media_time_s,
            damaged=shot.damaged,
            watch=watch,
        )
        own = shot.own if picture is shot.picture else None
        return Captured(origin, picture, own, queued_s=captured_s)
