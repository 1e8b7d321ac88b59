"""The process that reads large JSON bodies: started by the first, replaced when it dies, ended with the service."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, cast

from cloud.bodies.json_worker import ask
from shared.errors import DeadlineError, RequestError, UnavailableError

if TYPE_CHECKING:
    import io
    from collections.abc import Sequence

    from cloud.bodies.json_body import Shapes, Tensors
    from shared.wire.frame import Bytes

_log = logging.getLogger(__name__)

_COMMAND = (sys.executable, "-m", "cloud.bodies.json_worker")
_ROOT = Path(__file__).resolve().parents[2]


class JsonProcess:
    """Reads one body after another. Who leaves before the answer, or is out of time, takes the process along."""

    def __init__(self, command: tuple[str, ...] = _COMMAND) -> None:
        self._command = command
        self._turn = asyncio.Lock()
        # What blocks in a pipe does so here; killing the process ends it.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="json")
        self._process: subprocess.Popen[bytes] | None = None
        self._stopped = threading.Event()

    async def read(
        self, pieces: Sequence[Bytes], shapes: Shapes, default: str, most: int, timeout_s: float
    ) -> Tensors:
        """`read_tensors` of a body in any number of pieces, without holding this interpreter. Raises RequestError."""
        until = asyncio.get_running_loop().time() + timeout_s
        try:
            async with asyncio.timeout_at(until), self._turn:
                return await self._ask(pieces, shapes, default, most, until)
        except TimeoutError:
            raise DeadlineError(f"not read within the {1e3 * timeout_s:.0f} ms that were left") from None

    async def stop(self) -> None:
        """End the process. Bodies that it was reading, or that wait for it, are refused."""
        self._stopped.set()
        self._kill()
        await asyncio.get_running_loop().run_in_executor(self._thread, self._end)
        self._thread.shutdown(wait=False)

    async def _ask(
        self, pieces: Sequence[Bytes], shapes: Shapes, default: str, most: int, until: float
    ) -> Tensors:
        if self._stopped.is_set():
            raise UnavailableError("the server is stopping; try again later")
        loop = asyncio.get_running_loop()
        gone = threading.Event()
        try:
            return await loop.run_in_executor(
                self._thread, self._exchange, gone, pieces, shapes, default, most, until - loop.time()
            )
        except asyncio.CancelledError:
            gone.set()
            self._kill()
            if not self._stopped.is_set():
                self._thread.submit(self._end)  # before the next body, which might still find it alive
            raise

    def _exchange(
        self,
        gone: threading.Event,
        pieces: Sequence[Bytes],
        shapes: Shapes,
        default: str,
        most: int,
        seconds: float,
    ) -> Tensors:
        try:
            process = self._running()
            if gone.is_set() or self._stopped.is_set():  # too late for the kill that was meant for it
                process.kill()
            pipes = cast("io.FileIO", process.stdin), cast("io.FileIO", process.stdout)
            return ask(*pipes, pieces, shapes, default, most, seconds)
        except RequestError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it was, what comes out of the pipe next is nobody's answer
            status = self._end()
            if not (gone.is_set() or self._stopped.is_set()):
                _log.warning("reading a JSON body failed: %r, exit status %s", error, status)
            raise UnavailableError("the process that reads large JSON bodies ended; try again") from None

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            self._end()
            self._process = subprocess.Popen(  # noqa: S603 - our own program
                self._command,
                cwd=_ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                bufsize=0,
                process_group=0,  # an interrupt from the terminal is for the cloud, which lets requests finish
            )
        return self._process

    def _kill(self) -> None:
        if process := self._process:
            process.kill()

    def _end(self) -> int | None:
        """Close the pipes and reap it; its exit status."""
        process, self._process = self._process, None
        if process is None:
            return None
        with process:
            process.kill()
        return process.returncode
