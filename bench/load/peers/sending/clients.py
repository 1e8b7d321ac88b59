"""The clients at work: one job, one result."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from bench.harness.process import busy_s
from bench.load.connection import ExchangeError
from bench.load.generator import Generator, Load
from bench.load.peers.marked import cpu_s, marked
from bench.load.peers.sending.body import GOOD, POISONED, Body, read_bodies
from bench.load.peers.sending.carriers import OK, carrier
from bench.load.peers.sending.job import FIRST, POISON, TERMINATE, Job
from bench.load.peers.sending.log import LOST, OPEN, Log, Logged
from bench.load.peers.sending.sockets import carried_bytes
from bench.load.result import result_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from urllib.parse import SplitResult

_RETRY_S = 0.025
_LEAD_S = 0.05
"""The generator's, before its first request."""
_POISONERS = 2
_WITHIN = 0.8
"""Share of the measured time after which the connections' bytes are read."""
_DRAIN_S = 6.0
"""How long what is under way at the end may take."""


class Clients:
    """Everything that one process of clients does."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._log = Log()

    async def run(self) -> dict[str, Any]:
        """The result, which JSON can hold."""
        kind = self._job.kind
        if kind == FIRST:
            return await self._first()
        if kind == POISON:
            return await self._poison()
        return await (self._terminate() if kind == TERMINATE else self._load())

    async def _first(self) -> dict[str, Any]:
        """When there was a right answer, in monotonic seconds; None if there was none in time."""
        body = read_bodies(self._job.folder, GOOD)[0]
        deadline = time.monotonic() + self._job.timeout_s
        print("asking", flush=True)
        while time.monotonic() < deadline:
            logged = self._connect(self._log)
            try:
                if await logged.ask(body, max(0.1, deadline - time.monotonic())) == OK:
                    return {"answered_at": time.monotonic()}
            except ExchangeError:
                pass
            finally:
                logged.close()
            await asyncio.sleep(_RETRY_S)
        return {"answered_at": None, "fates": self._log.fates(), "errors": self._log.errors}

    async def _load(self) -> dict[str, Any]:
        """Rate and latencies as the load generator gives them, CPU of server and clients, and bytes, over the measured time."""
        generator = self._generator(self._job.clients, read_bodies(self._job.folder, GOOD), self._log)
        run, (before, within, after) = await asyncio.gather(generator.run(), self._window())
        carried = within["done"] - before["done"]
        return {
            **asdict(result_of(run)),
            "server_cpu_s": after["server_cpu_s"] - before["server_cpu_s"],
            "client_cpu_s": after["client_cpu_s"] - before["client_cpu_s"],
            "busy_s": after["busy_s"] - before["busy_s"],
            "window_s": after["at"] - before["at"],
            "done": after["done"] - before["done"],
            "bytes": (within["bytes"] - before["bytes"]) / carried if carried else 0.0,
            "fates": self._log.fates(),
            "errors": self._log.errors,
        }

    async def _poison(self) -> dict[str, Any]:
        """What became of good and of poisoned requests, sent at the same time by clients of their own."""
        job, poisoned = self._job, Log()
        good = self._generator(job.clients, read_bodies(job.folder, GOOD), self._log)
        bad = self._generator(
            _POISONERS, read_bodies(job.folder, POISONED), poisoned, rate=job.poison_rate / _POISONERS
        )
        await asyncio.gather(good.run(), bad.run())
        return {
            "good": self._log.fates(),
            "poisoned": poisoned.fates(),
            "errors": self._log.errors,
            "poisoned_errors": poisoned.errors,
        }

    async def _terminate(self) -> dict[str, Any]:
        """What became of the requests that were under way when the server got SIGTERM, and of those sent afterwards."""
        generator = self._generator(self._job.clients, read_bodies(self._job.folder, GOOD), self._log)

        async def signalled() -> tuple[float, float, int]:
            await asyncio.sleep(_LEAD_S + self._job.warm_s)
            count, at = len(self._log.entries), asyncio.get_running_loop().time()
            self._under_way = self._log.under_way()
            signalled_at = time.monotonic()
            os.kill(self._job.pid, signal.SIGTERM)
            return signalled_at, at, count

        _, (signalled_at, at, count) = await asyncio.gather(generator.run(), signalled())
        answers = [
            each.done for each in self._log.entries if each.fate not in (LOST, OPEN) and each.done > at
        ]
        return {
            "signalled_at": signalled_at,
            "before": self._log.fates(self._log.entries[:count]),
            "under_way": self._log.fates(self._under_way),
            "after": self._log.fates(self._log.entries[count:]),
            "errors": self._log.errors,
            "last_answer_s": max(answers) - at if answers else 0.0,
        }

    async def _window(self) -> tuple[dict[str, float], dict[str, float], dict[str, float]]:
        """The counters at the beginning of the measured time, within it and at its end, when connections are closed already."""
        loop = asyncio.get_running_loop()
        start = loop.time() + _LEAD_S + self._job.warm_s
        found = []
        for share in (0.0, _WITHIN, 1.0):
            await asyncio.sleep(start + share * self._job.seconds - loop.time())
            found.append(self._counters())
        before, within, after = found
        return before, within, after

    def _counters(self) -> dict[str, float]:
        return {
            "at": time.monotonic(),
            "done": self._log.done(),
            "bytes": carried_bytes(self._job.port),
            "server_cpu_s": cpu_s(marked(self._job.mark)),
            "client_cpu_s": time.process_time(),
            "busy_s": busy_s(),
        }

    def _generator(
        self, clients: int, bodies: Sequence[Body], log: Log, rate: float | None = None
    ) -> Generator[Body]:
        job = self._job
        # Each begins with another body, so that a batch is not of one picture.
        turns = [[*bodies[number:], *bodies[:number]] for number in range(len(bodies))]
        load = Load(
            clients, job.seconds, rate, job.warm_s, connections=1, timeout_s=job.timeout_s, drain_s=_DRAIN_S
        )
        return Generator(urlsplit(f"http://127.0.0.1:{job.port}"), turns, load, lambda _: self._connect(log))

    def _connect(self, log: Log, _: SplitResult | None = None) -> Logged:
        job = self._job
        return Logged(log, carrier(job.protocol, job.port, job.path, job.content_type), job.protocol)
