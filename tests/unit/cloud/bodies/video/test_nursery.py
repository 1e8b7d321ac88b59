"""What starts the processes of videos ends at once, whoever waits for it."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

import pytest
from kits.cloud import until

from cloud.bodies.video.decoders import VideoDecoders
from cloud.bodies.video.process import Nursery

if TYPE_CHECKING:
    from collections.abc import Coroutine

SILENT = [sys.executable, "-c", "import time; time.sleep(60)"]


def _run(main: Coroutine[None, None, None]) -> None:
    asyncio.run(asyncio.wait_for(main, 30))


def test_its_end_wakes_who_waits_and_starts_no_other() -> None:
    async def main() -> None:
        nursery, errors = Nursery(SILENT), []
        asyncio.get_running_loop().set_exception_handler(lambda _loop, context: errors.append(context))
        beginning = asyncio.create_task(nursery.begin())
        while not nursery._waits:
            await asyncio.sleep(0)
        process, control = nursery._process, nursery._control
        assert process
        assert control
        nursery.stop()
        with pytest.raises(ConnectionError):
            await beginning
        assert nursery._process is None
        assert control.fileno() == -1
        await asyncio.to_thread(until, lambda: process.returncode is not None)
        assert not errors

    _run(main())


def test_it_is_ended_without_waiting_for_its_process(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        nursery = Nursery(SILENT)
        nursery._running()
        process = nursery._process
        assert process
        monkeypatch.setattr(process, "poll", lambda: None)  # as of one that the system is slow to end
        nursery.stop()
        await asyncio.to_thread(until, lambda: process.returncode is not None)

    _run(main())


class _Account:
    name = "anna"


def test_a_client_whose_processes_have_started_is_not_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        nursery = Nursery()

        async def none() -> None:
            raise OSError("no")

        monkeypatch.setattr(nursery, "begin", none)
        decoders = VideoDecoders(2, 1, None, nursery)  # type: ignore[arg-type]
        with pytest.raises(OSError, match="no"):
            await decoders.begin(decoders.open(_Account()))  # type: ignore[arg-type]
        assert not dict(decoders._starting)
        decoders.stop()

    _run(main())
