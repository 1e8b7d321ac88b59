"""The process of one video, as the cloud sees it. On the event loop only."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import threading
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from cloud.bodies.video.messages import ANSWER, BEGUN, DECODED, QUESTION, Answer, Question
from shared.process.child import run_module

if TYPE_CHECKING:
    from numpy.typing import NDArray

_START_S = 20.0
"""For the nursery to load PyAV, on a machine that has other things to do."""


class Decoded(NamedTuple):
    """A picture, or why there is none; and what it took."""

    picture: NDArray[np.uint8] | None
    error: Exception | None
    cpu_s: float


class Nursery:
    """Starts such processes. Its own is started by the first of them, and again when it has died."""

    def __init__(self, command: list[str] | None = None) -> None:
        self._command = command or run_module("cloud.bodies.video.nursery")
        self._turn = asyncio.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._waits = False  # for what the socket brings
        self._stopped = False

    async def begin(self) -> VideoProcess:
        """A process that has seen nothing yet. Raises OSError, TimeoutError included, if there can be none."""
        async with self._turn, asyncio.timeout(_START_S):
            try:
                return await self._tried()
            except ConnectionError:  # it died since it was last needed
                return await self._tried()

    async def _tried(self) -> VideoProcess:
        try:
            return await self._begin()
        except BaseException:
            self._end()  # whatever it was, what this socket brings next is another's answer
            raise

    def stop(self) -> None:
        """End the nursery's process for good; those that it has begun go on. Whoever waits for one more is told."""
        self._stopped = True
        self._end()

    def _end(self) -> None:
        control, process = self._control, self._process
        self._control = self._process = None
        if control and self._waits:
            with contextlib.suppress(OSError):
                control.shutdown(
                    socket.SHUT_RDWR
                )  # wakes who waits, and closes it when the loop has let go of it
        elif control:
            control.close()
        if process:
            process.kill()
            if process.poll() is None:  # it takes a moment, for which the loop does not wait
                threading.Thread(target=process.wait, name="nursery_end", daemon=True).start()

    async def _begin(self) -> VideoProcess:
        control = self._running()
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                socket.send_fds(control, [b"."], [theirs.fileno()])
            answer, handles = await self._received(control)
        except BaseException:
            ours.close()
            raise
        if answer != BEGUN or not handles:
            ours.close()
            raise ConnectionError("the process of a video ended at once")
        ours.setblocking(False)
        return VideoProcess(ours, handles[0])

    async def _received(self, control: socket.socket) -> tuple[bytes, list[int]]:
        self._waits = True
        try:
            return await _received(control)
        finally:
            self._waits = False
            if control is not self._control:  # it was ended meanwhile
                control.close()

    def _running(self) -> socket.socket:
        if self._process is None or self._control is None or self._process.poll() is not None:
            self._end()
            if self._stopped:
                raise ConnectionError("no videos are decoded any more")
            ours, theirs = socket.socketpair()
            with theirs:
                self._process = subprocess.Popen(  # noqa: S603 - our own program
                    self._command,
                    stdin=theirs.fileno(),
                    process_group=0,  # an interrupt from the terminal is for the cloud
                )
            ours.setblocking(False)
            self._control = ours
        return self._control


class VideoProcess:
    """One of them."""

    def __init__(self, connection: socket.socket, handle: int) -> None:
        """`handle`: a file descriptor of the process."""
        self._connection = connection
        self._handle = handle
        self._asked = False

    async def decode(self, question: Question, payload: bytes) -> Decoded:
        """Have it decode a picture. Raises OSError, EOFError or ValueError if it has died, or says what it never would."""
        self._asked = True
        try:
            return await self._exchange(question, payload)
        finally:
            self._asked = False
            if self._handle < 0:
                self._connection.close()

    def end(self) -> None:
        """Now, also while it decodes, which then fails. May be called again."""
        handle, self._handle = self._handle, -1
        if handle < 0:
            return
        with contextlib.suppress(OSError):  # it has ended by itself
            signal.pidfd_send_signal(handle, signal.SIGKILL)
        os.close(handle)
        if self._asked:  # whoever waits for the answer would wait for ever
            self._connection.shutdown(socket.SHUT_RDWR)
        else:
            self._connection.close()

    async def _exchange(self, question: Question, payload: bytes) -> Decoded:
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(self._connection, QUESTION.pack(*question))
        await loop.sock_sendall(self._connection, payload)
        answer = Answer._make(ANSWER.unpack(await self._read(ANSWER.size)))
        height, width, channels = question.shape
        answer.check(height * width * channels)
        data = await self._read(answer.length)
        if answer.kind != DECODED:
            return Decoded(None, answer.error(bytes(data)), answer.cpu_s)
        return Decoded(np.frombuffer(data, np.uint8).reshape(question.shape), None, answer.cpu_s)

    async def _read(self, size: int) -> bytearray:
        data = bytearray(size)
        rest = memoryview(data)
        loop = asyncio.get_running_loop()
        while rest:
            count = await loop.sock_recv_into(self._connection, rest)
            if not count:
                raise EOFError("it ended")
            rest = rest[count:]
        return data


async def _received(control: socket.socket) -> tuple[bytes, list[int]]:
    """What the nursery says next, with the file descriptors that come with it."""
    loop = asyncio.get_running_loop()
    readable: asyncio.Future[None] = loop.create_future()

    def ready() -> None:
        if not readable.done():
            readable.set_result(None)

    loop.add_reader(control, ready)
    try:
        await readable
    finally:
        loop.remove_reader(control)
    data, handles, _, _ = socket.recv_fds(control, 1, 1)
    if not data:
        raise ConnectionError("what starts the processes of videos has died")
    return data, handles
