"""Workers that are no processes, and a parent that starts them: for tests of the parent. No tests."""

from __future__ import annotations

import asyncio
import errno
import json
import signal
from typing import TYPE_CHECKING, Any

from cloud.config import CloudSettings
from cloud.workers.channel import Message
from cloud.workers.parent import Parent

if TYPE_CHECKING:
    from collections.abc import Sequence

READY = Message("ready", {"alike": ["openvino", "bfloat16"], "digest": "old"})


class FakeWorker:
    """In place of `Started`: ends when it is told, says what a test wants, and knows what it was sent."""

    def __init__(self, number: int, alike: Sequence[str] | None) -> None:
        self.number, self.alike = number, alike
        self.listens, self.since, self.silent, self.hung = asyncio.Event(), 0.0, 0, False
        self.signals: list[signal.Signals] = []
        self.asked: list[Message] = []
        self.answer: dict[str, Any] = {}
        self.count = 1.0
        self.drains = self.answers = True
        self._end: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def run(self, handle: Any) -> int:
        self.handle = handle
        return await self._end

    def ends(self, status: int) -> None:
        self._end.set_result(status)

    async def takes_frames(self, ready: Message = READY) -> dict[str, Any]:
        """What the parent answers to that."""
        await until(lambda: hasattr(self, "handle"))
        answer = await self.handle(self, ready)
        self.since = asyncio.get_running_loop().time()
        self.listens.set()
        await self.handle(self, Message("listens"))
        said: dict[str, Any] = json.loads(answer.body)
        return said

    async def reading(self) -> list[dict[str, Any]] | None:
        if not self.answers:
            return None
        self.silent = 0
        samples = [["c_total", {}, self.count]]
        return [{"name": "c", "help": "C", "type": "counter", "samples": samples}]

    async def body(self, message: Message) -> bytes | None:
        self.asked.append(message)
        return json.dumps({"worker": self.number}).encode() if self.answers else None

    async def ask(self, message: Message, _timeout_s: float) -> dict[str, Any]:
        self.asked.append(message)
        return self.answer

    def signal(self, number: signal.Signals) -> None:
        self.signals.append(number)
        if self.drains and not self._end.done():
            self.ends(0)

    def kill(self) -> None:
        self.ends(128 + signal.SIGKILL)


class Run:
    """A parent at work."""

    def __init__(self, workers: int = 2) -> None:
        self.workers: list[FakeWorker] = []
        self.clouds: set[str] = set()
        self.stop = asyncio.Event()
        self.full = 0  # starts that fail
        each = CloudSettings(threads=1)

        async def start(
            number: int, _settings: CloudSettings, alike: Sequence[str] | None, *, cloud: str
        ) -> Any:
            if self.full:
                self.full -= 1
                raise BlockingIOError(errno.EAGAIN, "no more processes")
            self.clouds.add(cloud)
            self.workers.append(FakeWorker(number, alike))
            return self.workers[-1]

        loop = asyncio.get_running_loop()
        self.parent = Parent([each] * workers, start=start, clock=loop.time)
        self.ended = asyncio.create_task(self.parent.run(self.stop))

    async def started(self, count: int) -> FakeWorker:
        """The latest worker, once so many were started in all."""
        await until(lambda: len(self.workers) >= count)
        assert len(self.workers) == count
        return self.workers[-1]

    async def serving(self) -> list[FakeWorker]:
        await (await self.started(1)).takes_frames()
        await (await self.started(2)).takes_frames()
        return self.workers

    async def total(self) -> dict[str, float]:
        asker = next(each for each in self.workers if each.listens.is_set())
        answer = await asker.handle(asker, Message("metrics"))
        return {
            "".join([name, *labels.values()]): value
            for family in json.loads(answer.body)
            for name, labels, value in family["samples"]
        }


async def until(condition: Any) -> None:
    for tries in range(1000):
        if condition():
            return
        await asyncio.sleep(min(5.0, 0.01 * 1.5**tries))
    raise AssertionError("did not happen")
