"""A load generator that does not flatter: many clients, each at its own pace, whatever the server does.

Open loop: each client's requests have times that were fixed beforehand, and a latency counts from the time at which the
request was due, not from the one at which it could be sent. A server that stalls for a second is slow for everything that
was due in that second. A generator that waits for each answer before it thinks of the next request would see one slow
answer there: Gil Tene's coordinated omission. A client has a few connections with one request on each; what finds none
free waits, and its waiting counts. What has no answer when the run ends counts with the time it has waited until then.

Closed loop: each client sends, waits for the answer and sends again. It shows what the server can do, not how long
anybody waits who does not wait politely.
"""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bench.load.connection import Connection, ExchangeError

if TYPE_CHECKING:
    from collections.abc import Sequence
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
    """What is to be sent, in numbers. The requests of the first `warm_s` seconds do not count."""

    clients: int
    seconds: float
    rate: float | None = None
    """Frames/s of each client; None: closed loop."""
    warm_s: float = 1.0
    connections: int = 4
    """Of each client, in an open loop; as the edge's `--in-flight`."""
    timeout_s: float = 30.0
    drain_s: float = 10.0
    """How long answers are waited for after the last request was due."""
    most_requests: int = 1_000_000
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
    """Of this process, in the measured time."""


def schedule(load: Load) -> list[list[float]]:
    """For each client of an open loop, when its requests are due: evenly, from a random phase on.

    Raises ValueError for more requests than `most_requests`.
    """
    assert load.rate, "a closed loop has no schedule"
    if load.clients * load.rate * load.end_s > load.most_requests:
        raise ValueError(
            f"more than {load.most_requests} requests; fewer clients, a lower rate or a shorter time"
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


async def generate(url: SplitResult, requests: Sequence[Sequence[bytes]], load: Load) -> Run:
    """Run the load. `requests` are whole HTTP requests; client i sends those of `requests[i % len(requests)]` in turn."""
    return await _Generator(url, requests, load).run()


class _Generator:
    def __init__(self, url: SplitResult, requests: Sequence[Sequence[bytes]], load: Load) -> None:
        self._url = url
        self._bodies = requests
        self._load = load
        self._run = Run(load)

    async def run(self) -> Run:
        load = self._load
        plan = schedule(load) if load.rate else None
        self._start = time.monotonic() + _LEAD_S
        clients = [
            asyncio.create_task(self._open(number, plan[number]) if plan else self._closed(number))
            for number in range(load.clients)
        ]
        measuring = asyncio.create_task(self._measure_own_cpu())
        _, late = await asyncio.wait(clients, timeout=_LEAD_S + load.end_s + load.drain_s)
        for client in late:
            client.cancel()
        await asyncio.gather(*clients, return_exceptions=True)
        await measuring
        now = self._now()
        for request in self._run.requests:
            if request.status == UNANSWERED:
                request.done = now
        for client in clients:
            if not client.cancelled():
                client.result()  # a mistake of ours must not look like a quiet server
        return self._run

    async def _open(self, number: int, due: Sequence[float]) -> None:
        # All of them from the start: one that is never sent is not forgotten.
        requests = [Request(number, at) for at in due]
        self._run.requests += requests
        free: asyncio.Queue[Connection] = asyncio.Queue()
        connections = [Connection(self._url) for _ in range(self._load.connections)]
        for connection in connections:
            free.put_nowait(connection)

        async def send(connection: Connection, request: Request, body: bytes) -> None:
            await self._exchange(connection, request, body)
            free.put_nowait(connection)

        bodies = self._bodies[number % len(self._bodies)]
        try:
            async with asyncio.TaskGroup() as sending:
                for index, request in enumerate(requests):
                    await asyncio.sleep(request.due - self._now())
                    connection = await free.get()
                    sending.create_task(send(connection, request, bodies[index % len(bodies)]))
        finally:
            for connection in connections:
                connection.close()

    async def _closed(self, number: int) -> None:
        bodies = self._bodies[number % len(self._bodies)]
        connection = Connection(self._url)
        await asyncio.sleep(-self._now())
        try:
            index = 0
            while (now := self._now()) < self._load.end_s and len(
                self._run.requests
            ) < self._load.most_requests:
                request = Request(number, now)
                self._run.requests.append(request)
                await self._exchange(connection, request, bodies[index % len(bodies)])
                if request.status != OK:
                    await asyncio.sleep(_AFTER_REFUSAL_S)
                index += 1
        finally:
            connection.close()

    async def _exchange(self, connection: Connection, request: Request, body: bytes) -> None:
        try:
            status = await connection.ask(body, self._load.timeout_s)
        except ExchangeError:
            status = FAILED
        request.done = self._now()
        request.status = status

    async def _measure_own_cpu(self) -> None:
        await asyncio.sleep(self._load.warm_s - self._now())
        before = time.process_time()
        await asyncio.sleep(self._load.end_s - self._now())
        self._run.cpu_s = time.process_time() - before

    def _now(self) -> float:
        return time.monotonic() - self._start
