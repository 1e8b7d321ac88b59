"""A small fake cloud on 127.0.0.1, and uplinks to it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from types import SimpleNamespace

import pytest
from aiohttp import web
from kits.edge import value

from edge.metrics import FALLBACKS, EdgeMetrics
from edge.uplink.line import Line
from edge.uplink.uplink import Uplink
from shared.errors import UplinkError
from shared.tasks.classify import Classify
from shared.tasks.spec import Wanted
from shared.wire.cloud_id import CLOUD_HEADER
from shared.wire.frame import HEADER, EncodedTensor, Frame, heading, pack

LABELS = tuple("cock" if index == 7 else f"class {index}" for index in range(1000))
MODEL = SimpleNamespace(name="resnet18", weights="random:0", fingerprint=bytes(range(8)), labels=LABELS)
HERE = {"model": "resnet18", "weights": "random:0", "fingerprint": MODEL.fingerprint.hex()}
ID = "00c10d" + 10 * "0"
CLASS = {"class_id": 7, "label": "cock", "probability": 0.5}
GOOD = {"frame_id": 1, "split_point": "layer3", "top": [CLASS], "stages_ms": {"receive": 1.0, "tail": 2.5}}


def frame_of(size=5000):
    """A frame of `size` bytes to which GOOD is an answer."""
    name = GOOD["split_point"]
    payload = bytes(size - HEADER.size - len(name))
    tensor = EncodedTensor(1, (len(payload) // 4,), b"", payload)
    return pack(Frame(name, (tensor,), MODEL.fingerprint, GOOD["frame_id"], 0, 0))


FRAME = frame_of()
WANTED = Wanted()


class FakeCloud:
    """Answers `GET` and `POST /model`, `GET /tail-times`, `GET` and `PUT /profiles/…` with what is set.

    That is a dict, (status, dict or bytes), or a handler; `profile` is what older clouds answer to `GET /profile`. With `echoes`, a
    dict is the answer to whichever frame came, unless it says otherwise. Bytes are an answer that is no cloud's own: a proxy's.
    """

    def __init__(self):
        self.id = ID
        self.model = HERE
        self.answer = GOOD
        self.echoes = False
        self.put = (404, {"error": "no such path"})  # as a cloud of before there were profiles
        self.there = (404, {"error": "no such profile", "reason": "http"})
        self.tail_times = self.profile = (404, {"error": "no such path"})
        self.asked = []
        self.connections = set()
        self.frames = []
        self.queries = []
        self.uploads = []
        self.active = self.most_active = 0
        self.for_ever = asyncio.Event()

    async def _get(self, request):
        return await self._respond(self.model, request)

    async def _tail_times(self, request):
        self.asked.append(request.path)
        answer = self.profile if request.path == "/profile" else self.tail_times
        return await self._respond(answer, request)

    async def _post(self, request):
        self.connections.add(request.transport.get_extra_info("peername"))
        self.queries.append((request.path_qs, request.headers["Content-Type"]))
        self.frames.append(await request.read())
        if self.echoes and isinstance(self.answer, dict):
            frame_id, split_point = heading(self.frames[-1])
            return web.json_response({"frame_id": frame_id, "split_point": split_point} | self.answer)
        return await self._respond(self.answer, request)

    async def _put(self, request):
        self.uploads.append((request.path, await request.read()))
        return await self._respond(self.put, request)

    async def _describe(self, request):
        return await self._respond(self.there, request)

    async def _respond(self, answer, request):
        if callable(answer):
            return await answer(request)
        status, body = answer if isinstance(answer, tuple) else (200, answer)
        if isinstance(body, bytes):
            return web.Response(status=status, body=body)
        return web.Response(
            status=status, body=json.dumps(body).encode(), headers={CLOUD_HEADER: self.id} if self.id else {}
        )

    async def never(self, request):
        await self.for_ever.wait()
        return web.Response()

    async def cut(self, request):
        """Half an answer, then the connection breaks."""
        response = web.StreamResponse(headers={"Content-Length": "1000"})
        await response.prepare(request)
        await response.write(b'{"top": [')
        request.transport.abort()
        return response


@contextlib.asynccontextmanager
async def fake_cloud(tls=None):
    cloud = FakeCloud()
    app = web.Application(client_max_size=1 << 24)
    app.router.add_get("/model", cloud._get)
    app.router.add_get("/tail-times", cloud._tail_times)
    app.router.add_get("/profile", cloud._tail_times)
    app.router.add_post("/model", cloud._post)
    app.router.add_get("/profiles/{name}", cloud._describe)
    app.router.add_put("/profiles/{name}", cloud._put)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, auto_decompress=False)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
    cloud.url = f"{'https' if tls else 'http'}://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield cloud
    finally:
        cloud.for_ever.set()
        await runner.cleanup()


@contextlib.contextmanager
def refused_url():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{sock.getsockname()[1]}"


class LoneUplink(Uplink):
    """An uplink with a line of its own, which it opens and closes."""

    async def __aenter__(self):
        await self._line.__aenter__()
        self._line.probe_with(self.greet)
        return self

    async def __aexit__(self, *_):
        await self.close()
        await self._line.__aexit__()

    async def check(self, *, hurry=False):
        """A second, in which edges hurry, may be short beside whatever else the machine does."""
        await super().check(hurry=hurry)


def make_uplink(
    url,
    *,
    model=MODEL,
    wanted=WANTED,
    in_flight=4,
    deadline_s=60.0,
    metrics=None,
    bearer=None,
    tls=None,
    proxy=None,
    session="auto",
    **options,
):
    metrics = metrics or EdgeMetrics()
    line = Line(
        url, metrics, in_flight=in_flight, deadline_s=deadline_s, bearer=bearer, tls=tls, proxy=proxy, session=session
    )  # fmt: skip
    return LoneUplink(line, model, Classify(model.labels, wanted.top), metrics, wanted=wanted, **options)


def metric(uplink, name, **labels):
    return value(uplink._metrics, name, **labels)


def with_cloud(check, **options):
    """Run `check(cloud, uplink)`; no task of the uplink may be left behind."""

    async def go():
        async with fake_cloud() as cloud:
            uplink = make_uplink(cloud.url, **options)
            before = asyncio.all_tasks()
            async with uplink:
                await check(cloud, uplink)
            left = {repr(task.get_coro()) for task in asyncio.all_tasks() - before}
            assert not any("Uplink" in each or "Circuit" in each for each in left)
            assert metric(uplink, "in_flight") == 0

    asyncio.run(asyncio.wait_for(go(), 120))


def short(parameter):
    return repr(parameter)[:40]


async def refusal(uplink, profile=None):
    with pytest.raises(UplinkError) as caught:
        await uplink.ask(FRAME, profile)
    assert caught.value.reason in FALLBACKS
    return caught.value
