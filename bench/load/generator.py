"""An open-loop load generator: many clients, each at its own rate, whatever the server does.

Open loop: each client's requests have times that were fixed beforehand, and a latency counts from the time at which the
request was due, not from the one at which it could be sent. A server that stalls for a second is slow for everything that
was due in that second. A generator that sends only after each answer would see one slow answer instead: Gil Tene's
coordinated omission. A client has a few connections with one request on each; a request that finds
none free waits, and its waiting counts. One without an answer when the run ends counts with the time it has waited.

Closed loop: each client sends, waits for the answer and sends again. It shows what the server can do, not how long clients
wait that do not wait for each other.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from bench.load.connection import ExchangeError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from urllib.parse import SplitResult

OK = 200
FAILED = 0
"""In place of a status: no answer, or one that was not understood."""
UNANSWERED = -1
"""In place of a status: the run ended first."""
_LEAD_S = 0.05
"""Between the start and the earliest request, so that the first ones are not late because of us."""
_AFTER_REFUSAL_S = 0.1
"""A closed loop's client that is refused tries again after this, not at once."""


@dataclass(frozen=True)
class Load:
    """The load to send. The requests of the first `warm_s` seconds do not count."""

    clients: int
    seconds: float
    rate: float | None = None
    """Frames/s of each client; None: closed loop."""
    warm_s: float = 1.0
    connections: int = 4
    """For each client of an open loop; as the edge's `--in-flight`."""
    timeout_s: float = 30.0
    drain_s: float = 10.0
    """How long answers are waited for after the last request was due."""
    max_requests: int = 1_000_000
    seed: int = 0

    @property
    def end_s(self) -> float:
        return self.warm_s + self.seconds


@dataclass(slots=True)
class Request:
    """One request's fate; times are seconds since the start of the run."""

    client: int
    due: float
    done: float = 0.0
    status: int = UNANSWERED

    @property
    def latency_s(self) -> float:
        return self.done - self.due


@dataclass
class Run:
    """Everything that was due, and what the generator itself took."""

    load: Load
    requests: list[Request] = field(default_factory=list)
    cpu_s: float = 0.0
    """CPU time of this process, in the measured time."""


def schedule(load: Load) -> list[list[float]]:
    """For each client of an open loop, when its requests are due: evenly, from a random phase on.

    Raises ValueError for more requests than `max_requests`.
    """
    assert load.rate, "a closed loop has no schedule"
    if load.clients * load.rate * load.end_s > load.max_requests:
        raise ValueError(
            f"more than {load.max_requests} requests; fewer clients, a lower rate or a shorter time"
        )
    chance = random.Random(load.seed)  # noqa: S311 - nothing to guard
    due = []
    for _ in range(load.clients):
        period = 1 / load.rate
        phase = chance.random() * period
        count = max(0, int((load.end_s - phase) / period) + 1)
        times = (phase + number * period for number in range(count))
        due.append([at for at in times if at < load.end_s])
    return due


_Asked = TypeVar("_Asked")
_Carried = TypeVar("_Carried", contravariant=True)  # noqa: PLC0105 - the name says enough


class Asks(Protocol[_Carried]):
    """What carries requests, one at a time, as `Connection` does whole HTTP requests."""

    async def ask(self, request: _Carried, timeout_s: float) -> int:
        """The answer's status. Raises ExchangeError without one."""

    def close(self) -> None:
        """End it, even with a request under way."""


class Generator(Generic[_Asked]):
    """Runs one load. Client i sends `requests[i % len(requests)]` in turn, on connections that `connect` makes."""

    def __init__(
        self,
        url: SplitResult,
        requests: Sequence[Sequence[_Asked]],
        load: Load,
        connect: Callable[[SplitResult], Asks[_Asked]],
    ) -> None:
        self._url = url
        self._bodies = requests
        self._load = load
        self._connect = connect
        self._run = Run(load)
        self._start = 0.0

    async def run(self) -> Run:
        """Send everything, once. Time is that of the event loop. Raises ValueError as `schedule` does."""
        load = self._load
        self._start = asyncio.get_running_loop().time() + _LEAD_S
        plan = schedule(load) if load.rate else []
        carriers = []
        for client, bodies in zip(range(load.clients), itertools.cycle(self._bodies), strict=False):
            turns = itertools.cycle(bodies)
            if load.rate:
                # All of them from the start: one that is never sent is not forgotten.
                shared = iter([self._add(client, at) for at in plan[client]])
                carriers += [self._carry(shared, turns) for _ in range(load.connections)]
            else:
                carriers.append(self._carry(self._as_answered(client), turns))
        tasks = [asyncio.create_task(carrier) for carrier in carriers]
        measuring = asyncio.create_task(self._measure_own_cpu())
        _, late = await asyncio.wait(tasks, timeout=_LEAD_S + load.end_s + load.drain_s)
        for task in late:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await measuring
        now = self._now()
        for request in self._run.requests:
            if request.status == UNANSWERED:
                request.done = now
        for task in tasks:
            if not task.cancelled():
                task.result()  # a bug in the generator must not look like an idle server
        return self._run

    def _add(self, client: int, due: float) -> Request:
        request = Request(client, due)
        self._run.requests.append(request)
        return request

    def _as_answered(self, client: int) -> Iterator[Request]:
        """The requests of a closed loop: each is due when the one before is done."""
        load = self._load
        while (now := self._now()) < load.end_s and len(self._run.requests) < load.max_requests:
            yield self._add(client, max(0.0, now))

    async def _carry(self, requests: Iterator[Request], bodies: Iterator[_Asked]) -> None:
        """One connection: sends the client's next request when it is due, one after another."""
        connection = self._connect(self._url)
        try:
            for request in requests:
                body = next(bodies)
                await asyncio.sleep(request.due - self._now())
                try:
                    request.status = await connection.ask(body, self._load.timeout_s)
                except ExchangeError:
                    request.status = FAILED
                request.done = self._now()
                if request.status != OK and not self._load.rate:
                    await asyncio.sleep(_AFTER_REFUSAL_S)
        finally:
            connection.close()

    async def _measure_own_cpu(self) -> None:
        await asyncio.sleep(self._load.warm_s - self._now())
        before = time.process_time()
        await asyncio.sleep(self._load.end_s - self._now())
        self._run.cpu_s = time.process_time() - before

    def _now(self) -> float:
        """Seconds since the start of the run."""
        return asyncio.get_running_loop().time() - self._start
