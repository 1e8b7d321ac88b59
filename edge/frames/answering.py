"""From an encoded frame to its class: the cloud's answer, or the edge's own."""

from __future__ import annotations

import asyncio
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np

from edge.uplink.circuit import State
from edge.uplink.reply import UplinkError
from shared.errors import ContentError
from shared.tasks.classify import top_classes

if TYPE_CHECKING:
    from edge.frames.job import Job
    from edge.metrics import EdgeMetrics
    from edge.planning.pilot import Pilots
    from edge.uplink.reply import Reply
    from edge.uplink.uplink import Uplink
    from shared.network.model import ModelInfo
    from shared.tasks.classify import TopClass

_log = logging.getLogger(__name__)

_NOT_SENT = ("circuit_open", "profile")


class Answering:
    """Every frame gets an answer: from the cloud in time, or else from the rest of the network, here."""

    def __init__(
        self,
        model: ModelInfo,
        uplink: Uplink,
        pilot: Pilots,
        metrics: EdgeMetrics,
        *,
        top: int,
        deadline_s: float,
    ) -> None:
        """`top` classes are named."""
        self._model = model
        self._uplink = uplink
        self._pilot = pilot
        self._metrics = metrics
        # The cloud refuses to name more classes than there are.
        self._top = min(top, len(model.labels))
        self._deadline_s = deadline_s
        self._tail_thread = ThreadPoolExecutor(1, thread_name_prefix="tail")
        self._shadow: asyncio.Task[Reply | None] | None = None

    async def answer(self, job: Job) -> tuple[list[TopClass], str]:
        """The classes, and who answered: `cloud`, `edge`, `still`, or `nobody` if the network fails on this frame."""
        if job.repeats and (top := await job.repeats.answer(job, self._deadline_s)):
            return top, "still"
        if job.frame is not None and (reply := await self._ask_or_shadow(job)):
            return reply.top, "cloud"
        if job.fallback:
            self._metrics.fallbacks.labels(reason=job.fallback).inc()
        if job.crossing is None:
            return [], "nobody"
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._tail_thread, self._run_tail, job), "edge"
        except Exception:  # noqa: BLE001 - one frame fails, the others go on
            _log.exception("the tail failed on frame %d", job.number)
            return [], "nobody"

    async def close(self) -> None:
        """Give up what nobody waits for."""
        if self._shadow:
            self._shadow.cancel()
            await asyncio.gather(self._shadow, return_exceptions=True)
        self._tail_thread.shutdown(wait=False)

    async def _ask_or_shadow(self, job: Job) -> Reply | None:
        """A frame by which something is to be learned does not wait for what is learned."""
        is_trial = self._uplink.circuit.state is State.HALF_OPEN
        if not job.shadow and not is_trial:
            return await self._ask(job)
        job.fallback = "circuit_open" if is_trial else "explore"
        if job.sent:
            job.sent.settle(None, job.fallback)
            job.sent = None
        if self._shadow is None or self._shadow.done():
            self._shadow = asyncio.create_task(self._ask(job))
            self._metrics.explorations.inc(not is_trial)
        return None

    async def _ask(self, job: Job) -> Reply | None:
        """The cloud's answer; None, and why in `job.fallback`, if there is none."""
        assert job.frame is not None
        reply, reason, start = None, None, time.monotonic()
        try:
            reply = await self._uplink.ask(job.frame, self._top, job.plan.profile)
        except UplinkError as error:
            reason = error.reason
        except Exception:  # noqa: BLE001 - one frame is answered here, the others go on
            _log.exception("asking the cloud failed on frame %d", job.number)
            reason = "refused"
        job.fallback = job.fallback or reason  # of a shadow, why it is one
        if job.sent:
            job.sent.settle(reply, reason)
        self._tell(job, reply, reason)
        if job.fallback in (None, reason) and reason not in _NOT_SENT:
            job.watch.note("send", time.monotonic() - start)
            if reply:
                job.watch.seconds |= {f"cloud.{name}": ms / 1e3 for name, ms in reply.stages_ms.items()}
        return reply

    def _tell(self, job: Job, reply: Reply | None, reason: str | None) -> None:
        """The pilot, whose failure must not be the frame's."""
        try:
            if reply:
                self._pilot.answered(job, reply)
            elif reason != "circuit_open":
                self._pilot.failed(job)
        except Exception:  # noqa: BLE001 - as it says
            _log.exception("planning failed on frame %d", job.number)

    def _run_tail(self, job: Job) -> list[TopClass]:
        assert job.crossing is not None
        with job.watch.step("tail"):
            logits = job.plan.tail(job.crossing)
        if not np.isfinite(logits).all():
            raise ContentError("the network's answer is not finite")
        return top_classes(logits[0], self._model.labels, self._top)
