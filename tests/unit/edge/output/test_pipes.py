"""Records of recordings to a pipe that nobody reads yet."""

from __future__ import annotations

import asyncio
import os

import pytest
from kits.edge import record, settings_of

from edge.metrics import EdgeMetrics
from edge.output.outputs import open_outputs, with_readers


@pytest.fixture
def pipe(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    return tmp_path / "pipe"


def test_the_wait_for_a_reader_can_be_ended(pipe, caplog):
    """SIGTERM ends the start so."""
    caplog.set_level("INFO")

    async def wait():
        async with with_readers(settings_of(results=str(pipe)), {"camera": False}):
            pytest.fail("nobody reads it")

    async def run():
        waiting = asyncio.create_task(wait())
        while not caplog.records:
            await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    asyncio.run(run())
    assert [each.getMessage() for each in caplog.records] == [
        f"results {pipe}: waiting for somebody to read this pipe"
    ]


def test_a_reader_that_comes_gets_all_records(pipe, caplog):
    caplog.set_level("INFO")
    settings, cameras = settings_of(results=str(pipe), show="quiet"), {"camera": False}

    async def write():
        async with with_readers(settings, cameras):
            return open_outputs(settings, EdgeMetrics(), cameras)

    async def run():
        writing = asyncio.create_task(write())
        while not caplog.records:
            await asyncio.sleep(0)
        return os.open(pipe, os.O_RDONLY | os.O_NONBLOCK), await writing

    reader, outputs = asyncio.run(run())
    outputs.records(record(0))
    outputs.close()
    assert os.read(reader, 10_000).endswith(b"}\n")
    assert os.read(reader, 1) == b"", "its end"
    os.close(reader)


def test_nothing_else_is_waited_for(pipe, tmp_path):
    async def run():
        for results, cameras in (
            (str(pipe), {"a": True}),
            (str(pipe), {"a": False, "b": True}),
            (str(tmp_path / "out"), {"a": False}),
            (str(tmp_path / "no" / "folder"), {"a": False}),
            ("-", {"a": False}),
            (None, {"a": False}),
        ):
            async with asyncio.timeout(60), with_readers(settings_of(results=results), cameras):
                pass

    asyncio.run(run())
