"""What is sent of a still scene: nothing, while the answer to the frame sent last holds.

A frame is compared with the last one that was really sent, never with one that was skipped, so a slow drift adds up and is
seen. It repeats that frame's answer if it differs by less than the threshold, that answer exists or is still to come, and it
is not too old. The frames that are sent stay whole: each can be decoded by itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING

import numpy as np

from edge.frames.ruler import Marks, Ruler, rulers, share_changed

if TYPE_CHECKING:
    from edge.frames.job import Job
    from edge.uplink.reply import Reply
    from shared.codecs.base import Codec
    from shared.tasks.classify import TopClass

LONGEST_S = 5.0
"""Between a frame and the one it repeats: a change that no threshold notices is asked about after so long."""


class Sent:
    """A frame that goes to the cloud. Its answer is for those that repeat it as well."""

    def __init__(self, number: int, captured: float) -> None:
        """`captured`: monotonic seconds."""
        self.number = number
        self.captured = captured
        self.lost = False
        """Whether it is known that the cloud has not answered it."""
        self._settled = asyncio.Event()  # bound to no event loop until somebody waits for it
        self._top: list[TopClass] = []
        self._reason: str | None = None

    def settle(self, reply: Reply | None, reason: str | None) -> None:
        """On the event loop: the cloud's answer, or why there is none (one of edge/metrics.py's FALLBACKS)."""
        if reply:
            self._top = reply.top
        self._reason = reason
        self.lost = not reply
        self._settled.set()

    async def answer(self, job: Job, patience_s: float) -> list[TopClass]:
        """The classes, waited for if they are still to come.

        There are none if this frame failed, or if that takes too long; `job` then repeats nothing, and has a fallback.
        """
        start = time.monotonic()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._settled.wait(), patience_s)
        job.watch.note("wait_answer", time.monotonic() - start)
        if not self._top:
            job.repeats, job.fallback = None, self._reason or "late"
        return self._top


class Stillness:
    """Of one source, in the thread that encodes."""

    def __init__(self, codec: Codec | None, threshold: float, *, longest_s: float = LONGEST_S) -> None:
        """`threshold`: 0 … 1, the share of changed symbols from which a frame is sent; with 0 every frame is.

        Raises SettingsError if this codec's symbols cannot be compared.
        """
        self._threshold = threshold
        self._longest_s = longest_s
        self._make_ruler = rulers(codec) if threshold else None
        self._reference: tuple[Sent, Ruler, Marks] | None = None

    def holds(self, job: Job) -> bool:
        """Whether the answer to the frame sent last is the answer to this one; `job` then repeats it."""
        if self._reference is None or job.crossing is None:
            return False
        sent, ruler, marks = self._reference
        if sent.lost or job.captured - sent.captured > self._longest_s:
            return False
        with job.watch.step("compare"):
            # A difference to NaN is above no margin: the codec says what is wrong with it.
            if np.isfinite(job.crossing).all():
                job.changed = share_changed(marks, ruler(job.crossing[0]), ruler.margin)
                if job.changed < self._threshold:
                    job.repeats = sent
        return job.repeats is not None

    def sending(self, job: Job) -> None:
        """Compare later frames with this one, which goes to the cloud."""
        if self._make_ruler and job.crossing is not None:
            with job.watch.step("compare"):
                ruler = self._make_ruler(job.crossing[0])
                job.sent = Sent(job.number, job.captured)
                self._reference = job.sent, ruler, ruler(job.crossing[0])
