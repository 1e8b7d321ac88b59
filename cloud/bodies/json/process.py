"""The process that reads large JSON bodies: started by the first one, replaced when it dies, ended with the service."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, cast

from cloud.bodies.json.worker import ask
from shared.errors import DeadlineError, RequestError, UnavailableError

if TYPE_CHECKING:
    import io
    from collections.abc import Sequence

    from cloud.bodies.json.body import Shapes, Tensors
    from shared.wire.frame import Bytes

_log = logging.getLogger(__name__)

_COMMAND = (sys.executable, "-m", "cloud.bodies.json.worker")
_ROOT = Path(__file__).resolve().parents[3]


class JsonProcess:
    """Reads one body after another. A caller that leaves before the answer, or is out of time, ends the process."""

    def __init__(self, command: tuple[str, ...] = _COMMAND) -> None:
        self._command = command
        self._turn = asyncio.Lock()
        # Reading and writing the pipes blocks this thread only; killing the process ends it.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="json")
        self._process: subprocess.Popen[bytes] | None = None
        self._stopped = threading.Event()

    async def read(
        self,
        pieces: Sequence[Bytes],
        shapes: Shapes,
        default: str,
        max_tensors: int,
        timeout_s: float,
        form: str = "tensors",
    ) -> Tensors:
        """Read a body of this form (worker.py's FORMS), in any number of pieces, without holding this interpreter. Raises RequestError."""
        until = asyncio.get_running_loop().time() + timeout_s
        try:
            async with asyncio.timeout_at(until), self._turn:
                return await self._ask(pieces, shapes, default, max_tensors, until, form)
        except TimeoutError:
            raise DeadlineError(f"not read within the {1e3 * timeout_s:.0f} ms that were left") from None

    async def stop(self) -> None:
        """End the process. The body that it reads and those that wait for it are refused."""
        self._stopped.set()
        self._kill()
        await asyncio.get_running_loop().run_in_executor(self._thread, self._end)
        self._thread.shutdown(wait=False)

    async def _ask(
        self,
        pieces: Sequence[Bytes],
        shapes: Shapes,
        default: str,
        max_tensors: int,
        until: float,
        form: str,
    ) -> Tensors:
        if self._stopped.is_set():
            raise UnavailableError("the server is stopping; try again later")
        loop = asyncio.get_running_loop()
        gone = threading.Event()
        try:
            return await loop.run_in_executor(
                self._thread,
                self._exchange,
                gone,
                pieces,
                shapes,
                default,
                max_tensors,
                until - loop.time(),
                form,
            )
        except asyncio.CancelledError:
            gone.set()
            self._kill()
            if not self._stopped.is_set():
                self._thread.submit(self._end)  # before the next body, which might find it still alive
            raise

    def _exchange(
        self,
        gone: threading.Event,
        pieces: Sequence[Bytes],
        shapes: Shapes,
        default: str,
        max_tensors: int,
        seconds: float,
        form: str,
    ) -> Tensors:
        try:
            process = self._running()
            if gone.is_set() or self._stopped.is_set():  # the kill that was meant for it came before it
                process.kill()
            pipes = cast("io.FileIO", process.stdin), cast("io.FileIO", process.stdout)
            return ask(*pipes, pieces, shapes, default, max_tensors, seconds, form)
        except RequestError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it was, what the pipe brings next is no answer
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
        """Close the pipes and reap the process; returns its exit status."""
        process, self._process = self._process, None
        if process is None:
            return None
        with process:
            process.kill()
        return process.returncode
