"""The process that reads JSON bodies, and programs that misbehave in place of cloud/bodies/json/worker.py."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import TYPE_CHECKING, Any

from cloud.bodies.json.process import JsonProcess

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from cloud.bodies.json.body import Shapes, Tensors

WAIT_S = 60.0
SHAPES: Shapes = {
    "tiny": ((2,),),
    "cube": ((3, 4, 5),),
    "deep": ((64, 512),),
    "several": ((2,), (3, 4), (1, 2, 2)),
}
MAX_TENSORS = 4

_SERVE = "from cloud.bodies.json.worker import main; main()"


def program(code: str) -> tuple[str, ...]:
    return (sys.executable, "-c", code)


def first_time(marker: Path, code: str) -> tuple[str, ...]:
    """The first process runs `code`; those that follow read bodies."""
    return program(
        f"import os, signal, sys, threading\n"
        f"if not os.path.exists({str(marker)!r}):\n    open({str(marker)!r}, 'x').close()\n    {code}\n{_SERVE}"
    )


DIE = "sys.stdin.buffer.read(1); os.kill(os.getpid(), signal.SIGKILL)"
HANG = "threading.Event().wait(3600)"
BABBLE = "sys.stdout.write('no answer' * 10); sys.exit(3)"


class GatedReader:
    """A reader that begins when it is told to: `open` may be called once."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "gate"
        os.mkfifo(self._path)
        self.command = program(f"open({str(self._path)!r}, 'rb').close()\n{_SERVE}")

    def open(self) -> None:
        """Wait until the process is there, and let it begin."""
        os.close(os.open(self._path, os.O_WRONLY))


# --- the process, asked ------------------------------------------------------------------------------------------------


def body_of(data: Any, **fields: Any) -> bytes:
    return json.dumps({"data": data, "split_point": "tiny"} | fields).encode()


GOOD = body_of([[1.5, -2]], count=7)


def run(test: Callable[[JsonProcess], Awaitable[None]], *command: str) -> None:
    """Run a test with a process that is ended after it, however the test ends."""

    async def main() -> None:
        process = JsonProcess(command) if command else JsonProcess()
        try:
            await test(process)
        finally:
            await process.stop()

    asyncio.run(main())


async def read(process: JsonProcess, body: bytes = GOOD, timeout_s: float = WAIT_S) -> Tensors:
    return await process.read([body], SHAPES, "tiny", MAX_TENSORS, timeout_s)


def is_good(tensors: Tensors) -> bool:
    return (tensors.split_point, [each.tolist() for each in tensors.arrays], tensors.count) == (
        "tiny",
        [[[1.5, -2.0]]],
        7,
    )


def pid(process: JsonProcess) -> int:
    assert process._process
    return process._process.pid


def exists(number: int) -> bool:
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    return True
