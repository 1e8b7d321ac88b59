"""A frame that is alone goes from its bytes to its answer on one thread.

Each hand-over to another thread and back takes about as long as decoding does, and the event loop wakes up for it. So where nothing
else is under way there is one: decoding, tail and answer happen on the tail's thread, and the loop wakes up to send the answer.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from cloud.batching.crossing import TailRun
from cloud.bodies.frames import Work
from cloud.bodies.reply import require_finite
from cloud.networks.network import Tail
from shared.errors import DeadlineError

if TYPE_CHECKING:
    from cloud.access.clients import Account
    from cloud.batching.batcher import Batcher
    from cloud.bodies.decoder import Reads, Remaining
    from cloud.bodies.frames import Checked
    from cloud.bodies.reply import Reply
    from cloud.frames.threads import ThreadPools
    from cloud.metrics import CloudMetrics
    from cloud.networks.network import LoadedNetwork
    from shared.engines.half import Tensors
    from shared.observing.telemetry import Stopwatch

_MOST_BYTES = 1 << 20
"""A larger body has its turn at decoding, so that the tails are free meanwhile."""


class Composes(Protocol):
    """Makes the answer to one request; for any thread."""

    @property
    def watch(self) -> Stopwatch:
        """Times its steps."""

    def is_quick(self, outputs: Tensors) -> bool:
        """Whether that takes less than a millisecond."""

    def compose(self, network: LoadedNetwork, work: Work, outputs: Tensors) -> Reply:
        """The answer in these outputs, which are finite. Raises RequestError."""


@dataclass(slots=True)
class Way:
    """How far a frame has come on the thread."""

    network: LoadedNetwork
    work: Work | Checked
    """Checked if it is a picture that takes long to resize; then the time of decoding is not noted yet."""
    run: TailRun | None = None
    """None if its tail has to be compiled first."""
    reply: Reply | None = None
    """None if it takes long to make."""
    decode_s: float = 0.0


@dataclass(slots=True)
class _Use:
    """What the tail took."""

    tail: Tail | None = None
    """None if it did not run to its end: nothing is learned from that of what a frame costs there."""
    seconds: float = 0.0


class Alone:
    """Used by the event loop."""

    def __init__(self, batcher: Batcher, pools: ThreadPools, metrics: CloudMetrics) -> None:
        self._batcher = batcher
        self._pool = pools.tails
        self._metrics = metrics

    async def take(
        self,
        size: int,
        read: Reads,
        account: Account,
        left_s: float,
        remaining: Remaining,
        composer: Composes,
    ) -> Way | None:
        """Take the one frame in a body of `size` bytes as far as one thread can in one go; None, with nothing done, if it is not alone.

        `left_s` seconds are left for it, as far as that is known yet. Raises what decoding, the tail and the answer raise, and
        DeadlineError when the time is over.
        """
        if size > _MOST_BYTES or not self._pool.is_idle or not self._batcher.begin_alone(account.name):
            return None
        use = _Use()

        def ended() -> None:
            failed_s = 0.0 if use.tail else use.seconds
            self._batcher.charge(account.name, account.settle() + failed_s)
            self._batcher.end_alone(account.name, use.tail, use.seconds)

        try:
            async with asyncio.timeout(left_s):
                return await self._pool.run_noticed(ended, self._go, read, account, remaining, composer, use)
        except TimeoutError:
            raise DeadlineError(f"no answer within the {1e3 * left_s:.0f} ms that were left") from None

    def _go(self, read: Reads, account: Account, remaining: Remaining, composer: Composes, use: _Use) -> Way:
        """On the thread."""
        watch = composer.watch
        start_s, ended = time.perf_counter(), True
        try:
            network, work = read()
            ended = isinstance(work, Work)
        finally:  # a refusal took time as well
            decode_s = time.perf_counter() - start_s
            if ended:
                watch.note("decode", decode_s)
        way = Way(network, work, decode_s=decode_s)
        if not isinstance(work, Work) or not network.tails.is_ready(work.split_point):
            return way
        if not remaining(work.deadline_ms):
            raise DeadlineError("the deadline passed before the frame was decoded")
        way.run = self._run(Tail(network, work.split_point), work, account, use)
        watch.note("queue", 0.0)
        watch.note("tail", use.seconds)
        if composer.is_quick(way.run.outputs):
            require_finite(way.run.outputs)
            way.reply = composer.compose(network, work, way.run.outputs)
        return way

    def _run(self, tail: Tail, work: Work, account: Account, use: _Use) -> TailRun:
        start_s, cpu_s = time.perf_counter(), time.thread_time()
        try:
            outputs = tail.network.tails.run(tail.split_point, [work.crossing])
            use.tail = tail
        finally:
            use.seconds = time.perf_counter() - start_s
            self._metrics.step_cpu.labels("tail").inc(time.thread_time() - cpu_s)
            account.spend(use.seconds, settled=True)
        if {len(each) for each in outputs} != {1}:
            raise RuntimeError(f"the tail gave {', '.join(str(len(each)) for each in outputs)} rows for 1")
        return TailRun(outputs, 0.0, use.seconds)
