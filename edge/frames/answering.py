"""From an encoded frame to its outcome: the cloud's answer, an earlier one, or the edge's own."""

from __future__ import annotations

import asyncio
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Protocol

from edge.cameras.part_recipe import of_part
from edge.frames.way import Outcome
from shared.errors import ContentError, EngineError, UplinkError

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.frames.verifying import Verifier
    from edge.frames.way import AnsweredBy, Encoded, Reply
    from shared.observing.counting.counter import Counter
    from shared.tasks.base import Answer

_log = logging.getLogger(__name__)

_NOT_SENT = ("circuit_open", "profile")
"""Reasons that probably kept a frame from being sent, so that asking took no time worth recording."""


class Circuit(Protocol):
    """See edge/uplink/circuit.py."""

    @property
    def is_open(self) -> bool: ...
    @property
    def is_half_open(self) -> bool: ...


class Answering:
    """Gets an answer for every frame: from the cloud in time, or else from the tail on this machine.

    Either way it is the answer of the frame's own edition of the network.
    """

    def __init__(
        self,
        circuit: Circuit,
        fallbacks: Counter,
        explorations: Counter,
        verifier: Verifier | None = None,
        settle: Callable[[int], object] = lambda _size: None,
        *,
        tails: int = 1,
    ) -> None:
        """The counters are those of edge/metrics.py. `verifier` sees each answer of the cloud.

        `settle` is called with the size of each encoded frame once nothing of it travels any more; so many `tails` run here at once.
        """
        self._circuit = circuit
        self._fallbacks = fallbacks
        self._explorations = explorations
        self._verifier = verifier
        self._settle = settle
        self._tail_threads = ThreadPoolExecutor(tails, thread_name_prefix="tail")
        self._unawaited: asyncio.Task[object] | None = None

    async def answer(self, encoded: Encoded, deadline_s: float) -> Outcome:
        """The frame's outcome. Nothing else decides its `fallback`. `deadline_s`: how long it may wait for an earlier frame's answer."""
        answer: Answer | None = None
        fallback: str | None = encoded.withheld
        if encoded.repeats:
            start = time.monotonic()
            answer, fallback = await encoded.repeats.wait(deadline_s)
            encoded.origin.watch.note("wait_answer", time.monotonic() - start)
            if answer is not None:
                return _outcome(encoded, answer, "still")
        elif encoded.frame is not None and (encoded.explores or self._circuit.is_half_open):
            fallback = self._ask_without_waiting(encoded)
        elif encoded.frame is not None:
            reply, fallback = await self._ask_cloud(encoded, encoded.frame)
            if reply:
                if self._verifier and encoded.keyframe:  # by itself no other can be decoded here either
                    self._verifier.consider(encoded, reply.answer)
                return _outcome(encoded, reply.answer, "cloud", cloud=reply.address)
        if fallback:
            self._fallbacks.labels(camera=encoded.origin.camera, reason=fallback).inc()
        return await self._answer_here(encoded, fallback)

    async def close(self) -> None:
        """Cancel the request whose answer no frame waits for, end the tail's thread, and wait for what is being verified."""
        if self._unawaited:
            self._unawaited.cancel()
            await asyncio.gather(self._unawaited, return_exceptions=True)
        if self._verifier:
            await self._verifier.close()
        self._tail_threads.shutdown(wait=False)

    def _ask_without_waiting(self, encoded: Encoded) -> str:
        """Send a frame to learn whether the cloud is back, or what the link carries; returns the frame's fallback.

        One at a time: a frame that comes while an answer is outstanding is not sent.
        """
        is_trial = self._circuit.is_half_open
        fallback = "circuit_open" if is_trial else "explore"
        if encoded.pending:
            encoded.pending.settle(None, fallback)
        if self._unawaited and not self._unawaited.done():
            if encoded.ticket:
                encoded.ticket.unsent()
            self._settle(len(encoded.frame or b""))
        else:
            assert encoded.frame is not None
            asking = self._ask_and_tell(encoded, encoded.frame, explored=not is_trial)
            self._unawaited = asyncio.create_task(asking)
            # Also if it never begins, which a block within it would not notice.
            size = len(encoded.frame)
            self._unawaited.add_done_callback(lambda _task: self._settle(size))
            self._explorations.inc(not is_trial)
        return fallback

    async def _ask_cloud(self, encoded: Encoded, frame: bytes) -> tuple[Reply | None, str | None]:
        """The cloud's reply, or why there is none."""
        start = time.monotonic()
        try:
            reply, reason = await self._ask_and_tell(encoded, frame, explored=False)
        finally:
            self._settle(len(frame))
        if encoded.pending:
            encoded.pending.settle(reply.answer if reply else None, reason)
        if reason not in _NOT_SENT:
            watch = encoded.origin.watch
            watch.note("send", time.monotonic() - start)
            if reply:
                watch.seconds |= {f"cloud.{name}": ms / 1e3 for name, ms in reply.steps_ms.items()}
        return reply, reason

    async def _ask_and_tell(
        self, encoded: Encoded, frame: bytes, *, explored: bool
    ) -> tuple[Reply | None, str | None]:
        """Ask the cloud, and tell the pilot the result."""
        reply, reason, pilot = None, None, encoded.edition.pilot
        try:
            reply = await _ask(encoded, frame)
        except UplinkError as error:
            reason = error.reason
        except Exception:  # noqa: BLE001 - one frame is answered by the edge, the others go on
            _log.exception("asking the cloud failed on %s", encoded.origin)
            reason = "refused"
        try:
            if reply:
                pilot.answered(encoded.plan, reply.steps_ms, reply.address)
            elif reason != "circuit_open":
                pilot.failed(encoded.plan, explored=explored)
        except Exception:  # noqa: BLE001 - the pilot's failure must not be the frame's
            _log.exception("planning failed on %s", encoded.origin)
        return reply, reason

    async def _answer_here(self, encoded: Encoded, fallback: str | None) -> Outcome:
        """Run the tail on this machine; the frame has no answer if the network fails on it."""
        if encoded.crossing:
            try:
                loop = asyncio.get_running_loop()
                answer = await loop.run_in_executor(self._tail_threads, self._run_tail, encoded)
                return _outcome(encoded, answer, "edge", fallback)
            except (
                ContentError,
                EngineError,
            ) as error:  # the engine says it for each frame in the same words
                _log.warning("%s has no answer: %s", encoded.origin, error)
            except Exception:  # noqa: BLE001 - one frame fails, the others go on
                _log.exception("the tail failed on %s", encoded.origin)
        return Outcome(encoded, encoded.edition.task.nothing(), "nobody", fallback)

    def _run_tail(self, encoded: Encoded) -> Answer:
        with encoded.origin.watch.step("tail"):
            outputs = encoded.plan.tail(encoded.crossing)
        return encoded.edition.task.answer(tuple(output[0] for output in outputs))


async def _ask(encoded: Encoded, frame: bytes) -> Reply:
    edition, ticket = encoded.edition, encoded.ticket
    if edition.streams and ticket:
        try:
            return await edition.streams.ask(frame, encoded.plan.profile, ticket)
        except UplinkError as error:
            if error.reason in _NOT_SENT:
                ticket.part.forget("lost")
            raise
        finally:
            ticket.done()
    return await edition.cloud.ask(frame, encoded.plan.profile)


def _outcome(
    encoded: Encoded,
    answer: Answer,
    answered_by: AnsweredBy,
    fallback: str | None = None,
    cloud: str | None = None,
) -> Outcome:
    """The frame's answer with its places in the frame's own picture: a still frame's may be of another size."""
    edition, origin = encoded.edition, encoded.origin
    try:
        placed = answer.in_picture(of_part(edition.model.recipe, origin.part), origin.size)
    except Exception:  # noqa: BLE001 - one frame fails, the others go on
        _log.exception("finding the answer's places in the picture failed on %s", origin)
        return Outcome(encoded, edition.task.nothing(), "nobody", fallback)
    return Outcome(encoded, placed, answered_by, fallback, cloud)
