"""A profile travels packed to clouds that unpack it, and as it is to others; no start waits for minutes until it is there."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import web
from kits.keeping import PATH, PROFILE, check_with
from kits.uplink import FRAME, HERE, metric, refusal

from edge.uplink.profiles import upload
from shared.wire.profile import pack, unpack

PACKED = {"profile_encodings": ["identity", "zstd"]}


class Unpacking:
    """Takes what is packed, unless it is `old`; notes each upload's encoding."""

    def __init__(self, cloud, keeping, *, old=False):
        self.old, self.encodings = old, []
        self._cloud, self._keeping = cloud, keeping
        cloud.model = HERE | PACKED
        cloud.put = self.put

    async def put(self, request):
        encoding = request.headers.get("Content-Encoding", "identity")
        self.encodings.append(encoding)
        path, body = self._cloud.uploads[-1]
        assert path == PATH
        if encoding != "identity":
            if self.old:
                return web.json_response({"error": "not supported", "reason": "media_type"}, status=415)
            body = unpack(body, 1 << 20)
        assert body == PROFILE.data
        self._keeping.names.add(PROFILE.name)
        return web.json_response({"name": PROFILE.name}, status=201)


@pytest.fixture(autouse=True)
def _worth_it():
    assert pack(PROFILE.data)[1] == "zstd"


def test_it_goes_packed_where_the_cloud_says_so():
    async def check(cloud, keeping, uplink):
        its = Unpacking(cloud, keeping)
        await uplink.check()
        await uplink.ask(FRAME, PROFILE)
        assert its.encodings == ["zstd"]
        assert len(cloud.uploads[0][1]) < len(PROFILE.data)

    check_with(check)


def test_an_earlier_cloud_behind_the_same_address_gets_it_as_it_is():
    async def check(cloud, keeping, uplink):
        its = Unpacking(cloud, keeping, old=True)
        await uplink.check()
        await uplink.ask(FRAME, PROFILE)
        assert its.encodings == ["zstd", "identity"]
        assert metric(uplink, "profile_uploads_total") == 1

    check_with(check)


def test_a_profile_that_is_refused_is_not_sent_again_unpacked():
    async def check(cloud, _keeping, uplink):
        cloud.model, cloud.put = HERE | PACKED, (422, {"error": "bad", "reason": "bad_profile"})
        await uplink.check()
        assert (await refusal(uplink, PROFILE)).reason == "profile"
        assert len(cloud.uploads) == 1

    check_with(check)


def test_the_first_frame_waits_a_moment_and_the_upload_goes_on_beside_the_others(monkeypatch):
    monkeypatch.setattr(upload, "LEISURE_S", 0.05)

    async def check(cloud, keeping, uplink):
        keeping.go_on.clear()
        await uplink.check()
        assert uplink.circuit.is_closed
        assert (await refusal(uplink, PROFILE)).reason == "profile"
        keeping.go_on.set()
        async with asyncio.timeout(20):
            while not metric(uplink, "profile_uploads_total"):
                await asyncio.sleep(0.005)
        await uplink.ask(FRAME, PROFILE)
        assert len(cloud.uploads) == 1

    check_with(check, deadline_s=0.2)
