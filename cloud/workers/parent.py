"""The parent of several workers: starts them, starts those again that die, passes on what they tell each other, and ends them."""

from __future__ import annotations

import asyncio
import json
import logging
import signal
import time
from collections import OrderedDict
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any

from cloud.workers.agreement import Agreement
from cloud.workers.channel import Message
from cloud.workers.started import Restarts, Started, page_of
from cloud.workers.sums import ParentMetrics, Sums, families_of
from shared.limits import MAX_SESSIONS
from shared.wire.cloud_id import new_cloud_id

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from cloud.config import CloudSettings

_log = logging.getLogger("cloud")

_LOOK_S = 5.0
"""Between two looks at a worker: what it counted after the last one is lost if it is killed."""
MOST_SILENT = 6
"""Looks in a row that a worker does not answer, and is killed. A machine that was paused for minutes counts as one."""
_SPREADING_S = 50.0
_STOP_S = 6.0
"""More than the drain takes: closing connections, and what runs on threads."""
CANNOT_START = 2


class Parent:
    """Runs one worker for each of `shares`. On the event loop only."""

    def __init__(
        self,
        shares: Sequence[CloudSettings],
        *,
        start: Callable[..., Coroutine[Any, Any, Started]] = Started.start,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._shares = shares
        self._start = partial(start, cloud=new_cloud_id())
        self._clock = clock
        self._workers: dict[int, Started] = {}
        self._sums = Sums()
        self._turns = count()
        self._metrics = ParentMetrics(len(shares))
        self._sessions: OrderedDict[str, list[Any]] = OrderedDict()
        self._agreement = Agreement()
        self._served = asyncio.Event()
        self._stop = asyncio.Event()
        self._statuses: list[int] = []

    async def run(self, stop: asyncio.Event) -> int:
        """Run until `stop`, or until a worker cannot be started; the worst of the exit statuses."""
        keepers = [asyncio.create_task(self._keep(number)) for number in range(1, len(self._shares) + 1)]
        looking = asyncio.create_task(self._look())
        told, gave_up = asyncio.create_task(stop.wait()), asyncio.create_task(self._stop.wait())
        await asyncio.wait({told, gave_up}, return_when=asyncio.FIRST_COMPLETED)
        self._stop.set()
        _log.info("stopping %d workers", len(self._workers))
        for worker in self._workers.values():
            worker.signal(signal.SIGTERM)
        limit_s = self._shares[0].drain_s + _STOP_S
        _, late = await asyncio.wait(keepers, timeout=limit_s)
        if late:
            _log.error("%d workers did not end within %.0f s, and are killed", len(self._workers), limit_s)
            for worker in self._workers.values():
                worker.kill()
            await asyncio.wait(late)
        for task in (looking, told, gave_up):
            task.cancel()
        return max(self._statuses, default=0)

    async def _keep(self, number: int) -> None:
        """Keep one worker running until the stop."""
        restarts, ever = Restarts(), False
        if number > 1:  # the first one measures alone which engine is the fastest
            await self._first_of(self._served.wait())
        while not self._stop.is_set():
            status, served_s, listened = await self._one(number)
            ever = ever or listened
            if self._stop.is_set():
                # One that was still starting has no handler for SIGTERM, and nothing to finish.
                early = status == 128 + signal.SIGTERM and not listened
                self._statuses.append(0 if early else status)
                return
            if not ever and (status == CANNOT_START or not self._served.is_set()):
                self._give_up(number, status, "cannot start")
                return
            wait_s = restarts.wait_s(served_s)
            if wait_s is None:
                self._give_up(number, status, "dies again and again")
                return
            _log.error(
                "worker %d has ended with status %d; another is started in %g s", number, status, wait_s
            )
            await self._first_of(asyncio.sleep(wait_s))

    async def _one(self, number: int) -> tuple[int, float, bool]:
        """Run one worker to its end: its exit status, how long it has taken frames, and whether it ever did."""
        try:
            worker = await self._start(number, self._shares[number - 1], self._agreement.alike)
        except OSError as error:  # no more processes, files or memory
            _log.error("worker %d: no process can be started: %s", number, error.strerror or error)
            return 1, 0.0, False
        self._workers[number] = worker
        self._count()
        if self._stop.is_set():  # it was told to meanwhile
            worker.signal(signal.SIGTERM)
        status = await worker.run(self._handle)
        del self._workers[number]
        self._sums.retire(number)
        self._agreement.ended(number)
        self._count()
        if not self._stop.is_set():
            self._metrics.died(status, hung=worker.hung)
        listened = worker.listens.is_set()
        return status, self._clock() - worker.since if listened else 0.0, listened

    def _count(self) -> None:
        self._metrics.count(len(self._workers), sum(each.listens.is_set() for each in self._workers.values()))

    def _give_up(self, number: int, status: int, why: str) -> None:
        _log.error("worker %d %s (status %d); the cloud ends", number, why, status)
        self._statuses.append(status or 1)
        self._stop.set()

    async def _first_of(self, waiting: Coroutine[Any, Any, object]) -> None:
        """Wait, at most until the stop."""
        tasks = {asyncio.create_task(waiting), asyncio.create_task(self._stop.wait())}
        _, left = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in left:
            task.cancel()

    async def _look(self) -> None:
        """Read each worker's metrics every few seconds, so that little is lost with it, and kill one that answers no more."""
        while True:
            await asyncio.sleep(_LOOK_S)
            for worker in await self._read():
                worker.silent += 1  # here only: whoever reads the metrics often asks more often
            for worker in list(self._workers.values()):
                if worker.silent >= MOST_SILENT and worker.listens.is_set():
                    silence = worker.number, worker.silent
                    _log.error("worker %d has not answered %d times in a row, and is killed", *silence)
                    worker.hung = True
                    worker.kill()

    async def _read(self) -> list[Started]:
        """The workers that did not answer in time."""
        workers = [each for each in self._workers.values() if each.listens.is_set()]
        turn = next(self._turns)
        readings = await asyncio.gather(*(each.reading() for each in workers))
        for worker, reading in zip(workers, readings, strict=True):
            if reading is not None and self._workers.get(worker.number) is worker:
                self._sums.note(worker.number, reading, turn)
        return [worker for worker, reading in zip(workers, readings, strict=True) if reading is None]

    async def _handle(self, worker: Started, message: Message) -> Message | None:
        if message.kind == "ready":
            self._agreement.chosen(worker.number, message.fields["alike"])
            self._agreement.loaded(worker.number, message.fields["digest"])
            return Message("done", body=json.dumps(self._sessions).encode())
        if message.kind == "listens":
            self._served.set()
            self._count()
        elif message.kind == "metrics":
            await self._read()
            whole = self._sums.whole(families_of(self._metrics.registry))
            return Message("done", body=json.dumps(whole).encode())
        elif message.kind == "page":
            said = await page_of(self._workers.values(), len(self._shares), message)
            return Message("done", body=said)
        elif message.kind == "loaded":
            self._agreement.loaded(worker.number, message.fields["digest"])
            await self._agreement.all_have(message.fields["digest"], self._listening)
        elif message.kind == "choosing":
            return Message("done", {"alike": await self._agreement.turn_to_choose(worker.number)})
        elif message.kind == "chosen":
            self._agreement.chosen(worker.number, message.fields["alike"])
        elif message.kind == "session":
            self._note_session(message.fields["name"], message.fields["session"])
            await self._spread(worker, message)
        elif message.kind == "profile":
            answers = await self._spread(worker, message)
            refused = next((each["refused"] for each in answers if "refused" in each), None)
            return Message("done", {"refused": refused} if refused else {})
        return None

    def _listening(self) -> list[int]:
        return [each.number for each in self._workers.values() if each.listens.is_set()]

    async def _spread(self, sender: Started, message: Message) -> list[dict[str, Any]]:
        """What all others but the sender answer; of those that do not listen yet, those that were told all earlier sessions."""
        ready = [each for each in self._workers.values() if self._agreement.has_network(each.number)]
        others = [each for each in ready if each is not sender]
        return list(await asyncio.gather(*(each.ask(message, _SPREADING_S) for each in others)))

    def _note_session(self, name: str, session: list[Any] | None) -> None:
        """For workers that start later."""
        self._sessions.pop(name, None)
        if session:
            self._sessions[name] = session
            if len(self._sessions) > MAX_SESSIONS:
                self._sessions.popitem(last=False)
