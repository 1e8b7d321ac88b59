"""A fake cloud with sessions: it decodes a fake codec that needs the frame before, and answers so that a wrong state shows."""

from __future__ import annotations

import asyncio
import contextlib
import json
import zlib

import numpy as np
from aiohttp import WSMsgType, web
from kits.uplink import HERE, ID, MODEL, FakeCloud

from shared.codecs.base import Codec, Encoded
from shared.errors import RequestError, StateMissingError
from shared.wire.cloud_id import CLOUD_HEADER
from shared.wire.frame import unpack
from shared.wire.session.cloud import CloudConnection
from shared.wire.session.messages import SUBPROTOCOL, Answered, Arrived, Bye, Cancel, Hello, Welcome

NONE = bytes(4)
WITH_SESSIONS = HERE | {"session_protocols": [1]}


def state_of(array):
    return (zlib.crc32(array.tobytes()) or 1).to_bytes(4, "big")


class Differences(Codec):
    """A frame is a few bytes; but for keyframes, as differences to the one before."""

    id, name, inter = 250, "differences", True

    def __init__(self):
        self._state = None
        self._forget = False
        self.forgets = 0

    def for_stream(self):
        return Differences()

    def forget(self):
        self._forget = True
        self.forgets += 1

    def needs(self, params):
        return b"" if params[:4] == NONE else bytes(params[:4])

    def encode(self, array):
        if self._forget:
            self._state, self._forget = None, False
        before, self._state = self._state, array.copy()
        if before is None:
            return Encoded(NONE, array.tobytes() + bytes(40))
        return Encoded(state_of(before), (array - before).tobytes())

    def decode(self, params, payload, shape):
        size = int(np.prod(shape))
        array = np.frombuffer(bytes(payload[:size]), np.uint8).reshape(shape)
        if params != NONE:
            if self._state is None or state_of(self._state) != params:
                self._state = None
                raise StateMissingError("another state")
            array = self._state + array
        self._state = array.copy()
        return array


def class_of(array):
    """What a network might say to it."""
    return zlib.crc32(array.tobytes()) % 1000


def _class(array):
    return _named(class_of(array))


def _named(class_id):
    return {"class_id": class_id, "label": MODEL.labels[class_id], "probability": 0.5}


class SessionCloud(FakeCloud):
    """Answers at `/session` too, unless `refuses` is a status; what it was told is in `events`."""

    def __init__(self):
        super().__init__()
        self.model = WITH_SESSIONS
        self.answer = self._by_http
        self.refuses = None
        self.greets = True
        self.closes_at_once = False
        self.frames_most, self.streams_most = 64, 8
        self.resumes = True
        self.events = []
        self.answered = []
        self.refusal = None
        self.holding = None
        self.cut_at = None
        """The number of frames after which the connection is cut, this one unread."""
        self.cut_before_answer = None
        self.receive_s = 0.0  # what a frame takes to come, as it says; the answer is so late
        self.came = 0
        self.sockets = []
        self.opened = 0
        self._kept = {}
        self._ids = 0
        self._received = asyncio.Event()

    async def _by_http(self, request):
        frame = unpack(await request.read())
        try:
            array = Differences().decode(frame.params, frame.payload, frame.shape)
        except StateMissingError as error:
            return web.json_response({"error": str(error), "reason": error.reason}, status=424)
        answer = {"frame_id": frame.frame_id, "split_point": frame.split_point, "stages_ms": {"tail": 1.0}}
        return web.json_response(answer | {"top": [_class(array)]})

    async def until(self, condition):
        """Wait until it holds, which is looked at with every message."""
        async with asyncio.timeout(20):
            while not condition():
                self._received.clear()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._received.wait(), 0.02)

    def numbers(self, kind=Arrived):
        return [each.number for each in self.events if isinstance(each, kind)]

    async def say(self, message):
        """To every edge."""
        for ws, connection in self.sockets:
            await ws.send_bytes(message(connection))

    def cut(self):
        for ws, _ in self.sockets:
            ws._req.transport.abort()

    async def session(self, request):
        if self.refuses is not None:
            if self.refuses == "hang":
                await self.for_ever.wait()
            headers = {CLOUD_HEADER: self.id} if self.id else {}
            return web.Response(status=self.refuses, headers=headers)
        ws = web.WebSocketResponse(protocols=(SUBPROTOCOL,), compress=False)
        await ws.prepare(request)
        self.opened += 1
        if self.closes_at_once:
            request.transport.abort()
            return ws
        connection = CloudConnection(streams=self.streams_most, message_bytes=1 << 20)
        place = (ws, connection)
        self.sockets.append(place)
        tasks = set()
        self.session_id, kept = b"", None
        try:
            async for message in ws:
                if message.type is not WSMsgType.BINARY:
                    break
                said = connection.received(message.data)
                self._received.set()
                if said is None:
                    continue
                self.events.append(said)
                if isinstance(said, Hello):
                    if not self.greets:
                        continue
                    kept = await self._welcome(ws, connection, said, tasks)
                elif isinstance(said, Arrived):
                    self.came += 1
                    if self.came == self.cut_at:
                        self.events.pop()
                        request.transport.abort()
                        break
                    self._arrived(ws, connection, kept, said, tasks)
                    if self.came == self.cut_before_answer:
                        request.transport.abort()
                        break
                elif isinstance(said, Cancel | Bye):
                    continue
        finally:
            self.sockets.remove(place)
            for task in tasks:
                task.cancel()
        return ws

    async def _welcome(self, ws, connection, hello, tasks):
        resumed = self.resumes and hello.session in self._kept
        if not resumed:
            self._ids += 1
            session = self._ids.to_bytes(16, "big")
            kept = self._kept[session] = {"answers": {}, "streams": {}, "cancelled": set()}
        else:
            session, kept = hello.session, self._kept[hello.session]
        kept["streams"] = {}
        there = tuple(number for number in hello.unanswered if number in kept["answers"])
        welcome = Welcome(
            session, ID, self.frames_most, self.streams_most, 1 << 20, resumed, there if resumed else ()
        )
        await ws.send_bytes(connection.welcome(welcome))
        for number in there:
            tasks.add(asyncio.create_task(self._answer(ws, connection, kept, number)))
        return kept

    def _arrived(self, ws, connection, kept, arrived, tasks):
        frame = arrived.frame
        codec = kept["streams"].setdefault(arrived.stream, Differences())
        tensor = frame.tensor
        try:
            if self.refusal:
                raise self.refusal
            array = codec.decode(tensor.params, tensor.payload, tensor.shape)
            kept["answers"][arrived.number] = (class_of(array), arrived.timings, None)
        except RequestError as error:
            kept["answers"][arrived.number] = (0, False, error)
        tasks.add(asyncio.create_task(self._answer(ws, connection, kept, arrived.number)))

    async def _answer(self, ws, connection, kept, number):
        if self.holding:
            await self.holding.wait()
        await asyncio.sleep(self.receive_s)
        class_id, timings, error = kept["answers"].pop(number)
        if error:
            await ws.send_bytes(connection.refusal(number, error))
            return
        self.answered.append(number)
        body = json.dumps({"top": [_named(class_id)]}).encode()
        steps_ms = {"receive": 1e3 * self.receive_s, "decode": 0.1, "queue": 0.0, "tail": 0.2}
        await ws.send_bytes(connection.answer(Answered(number, body, True, steps_ms if timings else {})))


@contextlib.asynccontextmanager
async def session_cloud():
    """A running one, whose `url` is set."""
    cloud = SessionCloud()
    app = web.Application(client_max_size=1 << 24)
    app.router.add_get("/model", cloud._get)
    app.router.add_post("/model", cloud._post)
    app.router.add_get("/session", cloud.session)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    cloud.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield cloud
    finally:
        cloud.for_ever.set()
        if cloud.holding:
            cloud.holding.set()
        cloud.cut()
        await runner.cleanup()
