"""One flood: what it asks, in which order, and what it looks at before and afterwards."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

from bench.harness.process import memory
from bench.load.command import request_head
from bench.load.connection import Connection
from bench.load.flood.samples import require_distinct, samples_for
from bench.load.flood.visitor import Diary, Question, Visitor
from bench.load.generator import OK, Generator, Load
from bench.load.result import result_of
from bench.soak.watch import Watch

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Callable, Mapping

    from bench.harness.scrape import Metrics
    from bench.load.generator import Run

_AT_ONCE = 2
"""Requests of each client under way while the capacity is measured: enough to keep a cloud busy, too few to be refused."""
_IDLE_S = 60.0
_BETWEEN_S = 0.2
_SAMPLES = 5
_PEAK_S = 1.0
_LONGEST_S = 4 * 3600.0
_TOP = 20
"""Classes of an answer, so that more can differ."""
UNDER_WAY = ("queue_depth", "buffered_bytes", "frames", "active_clients")
"""Gauges that are 0 while nothing is under way."""


class Asked(Protocol):
    """The cloud that is flooded."""

    @property
    def pid(self) -> int: ...
    @property
    def url(self) -> str: ...
    @property
    def context(self) -> ssl.SSLContext | None:
        """For its TLS."""

    def describe(self) -> dict[str, Any]: ...
    def metrics(self) -> Metrics: ...
    def headers(self, name: str) -> Mapping[str, str]:
        """What the client of this name shows."""


@dataclass(frozen=True)
class Plan:
    """How much is asked, by whom."""

    requests: int
    overload: float
    """Offered, over what is answered at most."""
    cancelled: float
    """The share of the requests whose client leaves."""
    names: tuple[str, ...]
    """The clients'."""
    connections: int
    """Each client's, at most."""
    timeout_s: float
    capacity_s: float
    """For measuring what is answered at most."""
    seed: int = 0
    split_point: str = ""
    """The cloud's default one if empty."""


@dataclass(frozen=True)
class Outcome:
    """All that was seen."""

    diary: Diary
    watch: Watch
    """The cloud's memory and files, at rest before and after."""
    peak: int
    """Bytes resident at most meanwhile."""
    before: Metrics
    after: Metrics
    capacity_per_s: float
    offered_per_s: float
    seconds: float
    """From the first request of the flood to the last answer."""
    unsent: int
    requests: int
    """Those of the flood itself."""


class Flood:
    """One run against a cloud that takes frames."""

    def __init__(self, plan: Plan, cloud: Asked, say: Callable[[str], object]) -> None:
        """`say` is told how it goes on."""
        self._plan = plan
        self._cloud = cloud
        self._say = say
        self._chance = random.Random(plan.seed)  # noqa: S311 - nothing to guard
        self._diary = Diary()
        self._watch = Watch("cloud", cloud.pid, 0.0)
        self._peak = 0
        self._url = urlsplit(cloud.url)
        self._questions: list[list[Question]] = []

    async def run(self) -> Outcome:
        """Raises RuntimeError if the network cannot tell its frames apart, or if the cloud does not come to rest."""
        plan = self._plan
        await self._learn()
        load = Load(
            len(plan.names) * _AT_ONCE, plan.capacity_s, warm_s=plan.capacity_s / 4, timeout_s=plan.timeout_s
        )
        capacity = result_of(await self._ask(load, 0.0)).throughput_per_s
        offered = plan.overload * capacity
        self._say(f"capacity {capacity:.0f} answers/s; {plan.requests} requests at {offered:.0f}/s")
        await self._ask(
            self._load(plan.requests / 10, offered), plan.cancelled
        )  # the cloud grows to its size
        before = await self._rest()
        start = time.monotonic()
        async with self._watched():
            found = await self._ask(self._load(plan.requests, offered), plan.cancelled)
        seconds = time.monotonic() - start
        after = await self._rest()
        unsent = sum(not each.done for each in found.requests)
        return Outcome(
            self._diary, self._watch, self._peak, before, after, capacity, offered, seconds, unsent, len(found.requests)
        )  # fmt: skip

    async def _learn(self) -> None:
        """Ask each sample once, alone, and keep the answers."""
        description = await asyncio.to_thread(self._cloud.describe)
        point = self._plan.split_point or description["default_split_point"]
        samples = samples_for(description, point)
        for client, name in enumerate(self._plan.names):
            head = partial(request_head, self._url, headers=self._cloud.headers(name), query=f"?top={_TOP}")
            self._questions.append([Question(client, sample, head) for sample in samples])
        answers, visitor = [], Visitor(self._connect(), self._diary, self._chance)
        for question in self._questions[0]:
            status = await visitor.ask(question, self._plan.timeout_s)
            if status != OK or not visitor.last:
                raise RuntimeError(f"no answer to a first frame: {visitor.last or self._diary.faults}")
            answers.append(json.loads(visitor.last.body))
        visitor.close()
        require_distinct(answers)
        self._diary.expected = answers

    def _load(self, requests: float, rate: float) -> Load:
        plan = self._plan
        clients = len(plan.names)
        return Load(
            clients, requests / rate, rate / clients, warm_s=0.0, connections=plan.connections, timeout_s=plan.timeout_s,
            drain_s=_LONGEST_S, seed=plan.seed,
        )  # fmt: skip

    async def _ask(self, load: Load, leaving: float) -> Run:
        def connect(_url: object) -> Visitor:
            return Visitor(self._connect(), self._diary, self._chance, leaving)

        return await Generator(self._url, self._questions, load, connect).run()

    def _connect(self) -> Connection:
        return Connection(self._url, self._cloud.context)

    async def _rest(self) -> Metrics:
        """Wait until nothing is under way, and measure. Raises RuntimeError if that does not come."""
        until = time.monotonic() + _IDLE_S
        while busy := _under_way(metrics := await asyncio.to_thread(self._cloud.metrics)):
            if time.monotonic() > until:
                raise RuntimeError(f"{_IDLE_S:g} s after the last request, {busy}")
            await asyncio.sleep(_BETWEEN_S)
        for _ in range(_SAMPLES):
            self._watch.sample(time.monotonic())
            await asyncio.sleep(_BETWEEN_S)
        return metrics

    @contextlib.asynccontextmanager
    async def _watched(self) -> AsyncIterator[None]:
        """Look at the cloud's memory meanwhile."""

        async def look() -> None:
            while True:
                self._peak = max(self._peak, memory(self._cloud.pid).resident)
                await asyncio.sleep(_PEAK_S)

        task = asyncio.create_task(look())
        try:
            yield
        finally:
            task.cancel()


def _under_way(metrics: Metrics) -> str:
    """What the gauges say that is not 0; the connection that asks for them is there always."""
    values = {name: metrics.value(f"splitdnn_cloud_{name}") for name in UNDER_WAY}
    values["connections"] = (metrics.value("splitdnn_cloud_connections") or 1) - 1
    return ", ".join(f"{name} is {value}" for name, value in values.items() if value != 0)
