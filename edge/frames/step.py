"""One step of the pipeline: a thread that works from one queue into the next."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.frames.job import Job

_log = logging.getLogger(__name__)


class _Outbound(Protocol):
    def put(self, item: Job, /) -> object: ...
    def close(self) -> None: ...


class Step:
    """Takes jobs until there are none, notes how long each has waited, and passes each on, whatever became of it."""

    def __init__(
        self, name: str, inbound: Callable[[], Job | None], work: Callable[[Job], None], outbound: _Outbound
    ) -> None:
        """`inbound` waits for the next job and gives None after the last one."""
        self._name = name
        self._inbound = inbound
        self._work = work
        self._outbound = outbound
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def join(self) -> None:
        """Wait for the thread's end: it ends after the last job."""
        self._thread.join()

    def _run(self) -> None:
        try:
            while (job := self._inbound()) is not None:
                job.watch.note(f"wait_{self._name}", time.monotonic() - job.queued)
                try:
                    self._work(job)
                except Exception:  # noqa: BLE001 - one frame fails, the others go on; later steps see what it lacks
                    _log.exception("the %s step failed on frame %d", self._name, job.number)
                job.queued = time.monotonic()
                self._outbound.put(job)
        finally:
            self._outbound.close()
