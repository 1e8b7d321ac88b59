"""A fake cloud that serves a bundle as a real one does, or as the test wants it; and what fetches from it."""

from __future__ import annotations

import asyncio
import contextlib
import json
from types import SimpleNamespace

from aiohttp import web
from kits import numpy_network
from kits.edge import value

from edge.metrics import EdgeMetrics
from edge.network.cloud_bundles import CloudBundles
from edge.uplink.line import Line
from shared.network.making.store import BundleStore
from shared.network.manifest import MANIFEST

FINGERPRINT = "0123456789abcdef"
CONTENT = {
    "network.xml": b"<net/>" * 1000,
    "network.bin": bytes(range(256)) * 12_000,
    "probe.safetensors": b"probe" * 100,
}


def write(folder, fingerprint=FINGERPRINT, **changes):
    """A bundle whose files are bytes without a meaning."""
    return numpy_network.write_bundle(folder, bytes.fromhex(fingerprint), **(CONTENT | changes))


class BundleCloud:
    """Serves what lies in `folder`. Each attribute may be set by the test."""

    def __init__(self, folder):
        self.folder = folder
        self.fingerprint = FINGERPRINT
        self.model = {}
        """Replaces keys of the answer to `GET /model`; a tuple of status and body replaces all of it."""
        self.cut_after = {}
        """By file: how many bytes are sent before the connection breaks, once."""
        self.refusal = None
        """Status and body of every answer below /bundle."""
        self.location = ""
        self.replaced = {}
        """By file: what is sent in its place."""
        self.headers = {}
        self.ignores_ranges = False
        self.held_back = None
        """An event before which no more than the head of a file is sent."""
        self.asked = []
        """File and Range of every request below /bundle."""
        self.sent = 0

    def says(self):
        return {
            "model": "residual", "weights": "random:0", "fingerprint": self.fingerprint,
            "bundle": {"served": True, "bytes": sum(map(len, CONTENT.values()))},
        }  # fmt: skip

    async def get_model(self, _request):
        if isinstance(self.model, tuple):
            status, body = self.model
            return web.Response(status=status, body=json.dumps(body).encode())
        return web.json_response(
            {key: each for key, each in (self.says() | self.model).items() if each is not None}
        )

    async def get_file(self, request):
        name = request.match_info.get("file", MANIFEST)
        self.asked.append((name, request.headers.get("Range")))
        if self.refusal:
            status, body = self.refusal
            headers = {"Location": self.location} if self.location else {}
            return web.Response(status=status, body=json.dumps(body).encode(), headers=headers)
        if request.match_info["fingerprint"] != self.fingerprint:
            return web.json_response({"error": "no such bundle", "reason": "not_found"}, status=404)
        data = self.replaced.get(name)
        data = (self.folder / name).read_bytes() if data is None else data
        begin, status, headers = 0, 200, dict(self.headers)
        if "Range" in request.headers and not self.ignores_ranges:
            begin = int(request.headers["Range"].removeprefix("bytes=").removesuffix("-"))
            status = 206
            headers.setdefault("Content-Range", f"bytes {begin}-{len(data) - 1}/{len(data)}")
        headers.setdefault("Content-Length", str(len(data) - begin))
        response = web.StreamResponse(status=status, headers=headers)
        if headers["Content-Length"] == "":
            del response.headers["Content-Length"]
            response.enable_chunked_encoding()
        await response.prepare(request)
        if self.held_back and name != MANIFEST:
            await response.write(data[begin : begin + 10])
            begin += 10
            await self.held_back.wait()
        end = begin + self.cut_after.pop(name, len(data))
        for start in range(begin, min(end, len(data)), 65536):
            await response.write(data[start : min(start + 65536, end)])
        self.sent += min(end, len(data)) - begin
        if end < len(data):
            for _ in range(
                100
            ):  # a client on this loop reads meanwhile: of what comes in one piece with the cut it sees nothing
                await asyncio.sleep(0)
            request.transport.close()
        return response


@contextlib.asynccontextmanager
async def serving(cloud):
    app = web.Application()
    app.router.add_get("/model", cloud.get_model)
    app.router.add_get("/bundle/{fingerprint}", cloud.get_file)
    app.router.add_get("/bundle/{fingerprint}/{file}", cloud.get_file)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


class Napping:
    """Stands in for sleep and clock: nobody waits, and the time goes on. `then` is called after each nap."""

    def __init__(self, then=lambda: None):
        self.now = 0.0
        self.naps = []
        self.then = then

    async def sleep(self, seconds):
        self.naps.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)
        self.then()

    def clock(self):
        return self.now


def with_bundles(check, folder, *, cache_dir="", url=None, then=lambda: None):
    """Run `check(cloud, bundles, kit)` with what an edge fetches with; `kit` has the metrics' values, the naps and the store."""

    async def go():
        cloud = BundleCloud(folder)
        metrics, naps = EdgeMetrics(), Napping(then)
        async with (
            serving(cloud) as served,
            Line(url or served, metrics, in_flight=1, deadline_s=60.0) as line,
        ):
            store = BundleStore(str(cache_dir))
            bundles = CloudBundles(
                line, store, str(cache_dir), metrics.bundle_fetches, sleep=naps.sleep, clock=naps.clock
            )
            kit = SimpleNamespace(
                naps=naps,
                store=store,
                line=line,
                fetches=lambda result: value(metrics, "bundle_fetches_total", result=result),
            )
            try:
                await check(cloud, bundles, kit)
            finally:
                store.close()

    asyncio.run(asyncio.wait_for(go(), 120))
