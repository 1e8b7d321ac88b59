"""A share of the cloud's answers is computed again on this machine and compared: a cloud that computes wrongly, or lies, is found."""

from __future__ import annotations

import asyncio
import logging
import math
import random
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from shared.codecs.coding import codecs_of, decode_tensors
from shared.network.recipes.resize import fit_picture
from shared.wire import frame as wire

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.frames.way import Crossing, Encoded
    from edge.metrics import EdgeMetrics
    from shared.tasks.base import Answer

_log = logging.getLogger(__name__)

SAME = 0.5
"""Agreement from which an answer counts as the same: far below what rounding, or another precision, takes from it."""
_DRAWN = random.SystemRandom()
_TELL_S = 60.0
"""Between two lines about answers that are not the same."""


class Verifier:
    """Decodes some of the frames that were sent as the cloud does, runs their tails, and compares. Used from the event loop.

    One at a time, on a thread of its own: no frame waits for it. Which frames is drawn, as a cloud that could tell would answer those
    well. So it is for those that are drawn while another is computed: one of them waits, each as likely as the others, or a cloud
    would send a true answer and, with the next packet, a lie.
    """

    def __init__(
        self,
        share: float,
        metrics: EdgeMetrics,
        *,
        draw: Callable[[], float] = _DRAWN.random,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`share`, 0 … 1, of the frames that the cloud answers; `draw` gives numbers 0 … 1, all equally likely."""
        self._share = share
        self._metrics = metrics
        self._draw = draw
        self._clock = clock
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="verify")
        self._under_way: asyncio.Task[None] | None = None
        self._next: tuple[Encoded, Answer] | None = None
        self._rivals = 0
        """Drawn since the one under way was begun."""
        self._told_at, self._untold = -math.inf, 0

    def consider(self, encoded: Encoded, answer: Answer) -> None:
        """The cloud gave this answer to the frame; its places are in the network's input.

        A frame that needs the one before it is never drawn: by itself it cannot be decoded here either.
        """
        if not encoded.keyframe or self._draw() >= self._share:
            return
        if self._under_way is None or self._under_way.done():
            self._next = encoded, answer
            self._under_way = asyncio.create_task(self._verify_all())
            return
        self._rivals += 1
        if self._next:
            self._metrics.verified.labels(result="left_out").inc()
        if self._next is None or self._rivals * self._draw() < 1:
            self._next = encoded, answer

    async def close(self) -> None:
        """Wait for the comparison under way, and the one after it, and end the thread."""
        if self._under_way:
            await asyncio.gather(self._under_way, return_exceptions=True)
        self._thread.shutdown(wait=False)

    async def _verify_all(self) -> None:
        while self._next:
            encoded, answer = self._next
            self._next, self._rivals = None, 0
            await self._verify(encoded, answer)

    async def _verify(self, encoded: Encoded, answer: Answer) -> None:
        result = "failed"
        try:
            loop = asyncio.get_running_loop()
            own = await loop.run_in_executor(self._thread, _own_answer, encoded)
            agreement = encoded.edition.task.common(own, answer).share
            self._metrics.verified_agreement.inc(agreement)
            result = "same" if agreement >= SAME else "other"
            if result == "other":
                self._tell(encoded, own, answer, agreement)
        except Exception:  # noqa: BLE001 - whatever fails here, the frame has its answer
            _log.exception("verifying the cloud's answer to %s failed", encoded.origin)
        self._metrics.verified.labels(result=result).inc()

    def _tell(self, encoded: Encoded, own: Answer, found: Answer, agreement: float) -> None:
        if self._clock() < self._told_at + _TELL_S:
            self._untold += 1
            return
        more = f"; {self._untold} more since this was last said" if self._untold else ""
        _log.warning(
            "the cloud's answer to %s is another than this edge's to the same frame (agreement %.2f): %s, and here %s%s",
            encoded.origin, agreement, _told(found), _told(own), more,
        )  # fmt: skip
        self._told_at, self._untold = self._clock(), 0


def _told(answer: Answer) -> str:
    return repr(answer.headline()[:80])


def _own_answer(encoded: Encoded) -> Answer:
    """The answer to the very frame that the cloud was sent, whose codec may have changed it. Raises whatever the network raises."""
    edition, plan = encoded.edition, encoded.plan
    outputs = plan.tail(_decoded(encoded))
    return edition.task.answer(tuple(output[0] for output in outputs))


def _decoded(encoded: Encoded) -> Crossing:
    assert encoded.frame is not None
    assert encoded.plan.codec is not None
    frame, recipe = wire.unpack(encoded.frame), encoded.edition.model.recipe
    codecs = codecs_of(frame)
    if encoded.plan.profile:  # which a frame only names
        codecs = [encoded.plan.codec.of_tensor(number) for number in range(len(codecs))]
    arrays = decode_tensors(frame, codecs)
    if codecs[0].carries == "picture":
        (picture,) = arrays
        fitted = picture if picture.shape == recipe.picture_shape else fit_picture(picture, recipe)
        arrays = (recipe.normalise(fitted),)
    return tuple(array[None] for array in arrays)
