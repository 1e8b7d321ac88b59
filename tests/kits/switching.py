"""An edge whose network is exchanged while frames flow: tiny networks by name, and a cloud that serves several at once."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
from aiohttp import web
from kits.edge import pictures, settings_of
from kits.profiles import make_profile
from kits.tiny import plan_of, tiny_model
from kits.uplink import HERE

from edge.cameras.camera import Camera
from edge.cameras.file import read_cameras
from edge.cameras.metrics import CameraMetrics
from edge.frames.pipeline import Pipeline
from edge.metrics import EdgeMetrics
from edge.network.loading import EngineChoice, Loaded
from edge.network.switch import Switch
from edge.planning.pace import Pace
from edge.sources.base import Shot
from edge.uplink.line import Line
from shared.codecs import decode_frame
from shared.codecs.calibrated.codec import Calibrated
from shared.errors import ModelError
from shared.tasks.registry import make_task
from shared.tasks.spec import Wanted
from shared.wire import frame as wire

A, B, C = (tiny_model(fingerprint=name * 8) for name in (b"a", b"b", b"c"))
NETWORKS = {"A": A, "B": B, "C": C}
FRAME = next(pictures(1))


def fingerprint(model):
    return model.fingerprint.hex()


class SwitchingCloud:
    """Answers frames of the networks that it serves, the last of which is its current one."""

    def __init__(self):
        self.serves = [A]
        self.frames = []
        self.queries = []
        self.profiles = set()
        self.uploads = []

    async def get_model(self, _request):
        also = [fingerprint(each) for each in self.serves[:-1]]
        said = {
            "fingerprint": fingerprint(self.serves[-1]),
            "also_serves": also,
            "profiles": sorted(self.profiles),
        }
        return web.json_response(HERE | said)

    async def put(self, request):
        await request.read()
        self.uploads.append(request.match_info["name"])
        self.profiles.add(request.match_info["name"])
        return web.json_response({}, status=201)

    async def post(self, request):
        self.queries.append(request.query_string)
        frame = wire.unpack(await request.read())
        self.frames.append(frame)
        model = next((each for each in self.serves if each.fingerprint == frame.fingerprint), None)
        if model is None:
            return web.json_response({"error": "another network", "reason": "fingerprint"}, status=409)
        (tensor,) = frame.tensors
        if tensor.codec_id == Calibrated.id:
            array = Calibrated(profile_of(model)).decode(tensor.params, tensor.payload, tensor.shape)
        else:
            (array,) = decode_frame(frame)
        outputs = plan_of(model, frame.split_point, "float32").tail((np.asarray(array)[None],))
        answer = make_task(model, Wanted(int(request.query.get("top", "5")))).answer(
            tuple(each[0] for each in outputs)
        )
        current = fingerprint(self.serves[-1])
        own = {"frame_id": frame.frame_id, "split_point": frame.split_point}
        return web.json_response(
            {**own, **answer.fields(), "stages_ms": {"tail": 1.0}, "fingerprint": current}
        )


@contextlib.asynccontextmanager
async def serving(cloud):
    app = web.Application(client_max_size=1 << 24)
    app.router.add_get("/model", cloud.get_model)
    app.router.add_post("/model", cloud.post)
    app.router.add_put("/profiles/{name}", cloud.put)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def profile_of(model):
    return make_profile(model.fingerprint, "relu", (4, 3, 3), count=4)


def plans_of(model, codec):
    """New ones each time, as where a network is loaded."""
    if codec != "calibrated":
        return [replace(plan_of(model, "relu", codec))]
    plan = plan_of(model, "relu", "float32")
    return [replace(plan, codec=Calibrated(profile_of(model)).for_stream(), label="calibrated")]


class Edge:
    """Everything between a source and a `SwitchingCloud`; networks are loaded by name, as fast as they are asked for."""

    def __init__(self, cloud, url, line, metrics, codec, **settings):
        self.cloud = cloud
        self.line = line
        self.metrics = metrics
        self.codec = codec
        self.settings = settings_of(cloud_url=url, **({"model": "cloud", "weights": "auto"} | settings))
        self.slow = ThreadPoolExecutor(1)
        self.use(read_cameras(self.settings))
        self.loads = []
        self.records = []

    def use(self, cameras):
        """These in place of the one of the settings."""
        self.cameras = cameras
        self.pace = Pace({camera.name: False for camera in cameras})
        self.switch = Switch(
            self.settings, cameras, 1, self.metrics, self.line, self.slow, pace=self.pace, load=self._load
        )

    def _load(self, settings, cameras, threads, metrics, *, before):
        self.loads.append(
            (settings.model, before is not None, threading.current_thread() is threading.main_thread())
        )
        if settings.model not in NETWORKS:
            raise ModelError(f"no network {settings.model}")
        model = NETWORKS[settings.model]
        engine = EngineChoice("cpu", "openvino", "float32")
        plans = {camera.choice: plans_of(model, self.codec) for camera in cameras}
        return Loaded(model, plans, f"digest of {settings.model}", engine)

    def pipeline(self, source):
        (own,) = self.cameras
        return Pipeline(
            [Camera(own, source, [self.records.append], CameraMetrics(self.metrics, own.name), session=1)],
            self.switch.editions,
            self.line.circuit,
            self.metrics,
            in_flight=self.settings.in_flight,
            heads=self.settings.head_workers,
            pace=self.pace,
        )


def with_edge(check, *, codec="float32", cameras=("camera",), **settings):
    """Run `check(edge)`."""

    async def go():
        cloud, metrics = SwitchingCloud(), EdgeMetrics(list(cameras))
        async with serving(cloud) as url, Line(url, metrics, in_flight=4, deadline_s=60.0) as line:
            edge = Edge(cloud, url, line, metrics, codec, **settings)
            try:
                await check(edge)
            finally:
                await edge.switch.close()
                edge.slow.shutdown()

    asyncio.run(asyncio.wait_for(go(), 120))


class Pictures:
    """A lossless source of pictures that the test counts; it goes on only as far as it is allowed to."""

    live, name = False, "camera"

    def __init__(self, frames=None):
        self.frames = frames or list(pictures(500))
        self.given = 0
        self._allowed = 0
        self._more = threading.Condition()

    def allow(self, count):
        with self._more:
            self._allowed += count
            self._more.notify_all()

    def end(self):
        with self._more:
            self.frames = self.frames[: self.given]
            self._more.notify_all()

    def close(self):
        """Nothing to close."""

    def read(self):
        with self._more:
            self._more.wait_for(lambda: self.given < self._allowed or self.given >= len(self.frames), 60)
            if self.given >= len(self.frames):
                return None
            self.given += 1
            return Shot(self.frames[self.given - 1], self.given - 1)


async def until(condition):
    while not condition():
        await asyncio.sleep(0.001)


def waiting(edge, gate, arrived):
    """A `request` in place of the client's: frames are told to `arrived`, and wait for `gate`."""
    request = edge.line.client.request

    async def wait(method, *arguments, **options):
        if method == "POST":
            arrived.append(method)
            await gate.wait()
        return await request(method, *arguments, **options)

    return wait
