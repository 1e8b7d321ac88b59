"""A profile travels packed to clouds that unpack it, and as it is to others; no start waits for minutes until it is there."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import web
from kits.gain import gain_profile
from kits.keeping import PATH, PROFILE, Keeping, check_with
from kits.uplink import FRAME, HERE, MODEL, metric, refusal, with_cloud

from edge.uplink.profiles import uploads
from shared.codecs.zstd import pack_profile, unpack_profile

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
            body = unpack_profile(body, 1 << 20)
        assert body == PROFILE.data
        self._keeping.names.add(PROFILE.name)
        return web.json_response({"name": PROFILE.name}, status=201)


@pytest.fixture(autouse=True)
def _worth_it():
    assert pack_profile(PROFILE.data)[1] == "zstd"


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
    monkeypatch.setattr(uploads, "LEISURE_S", 0.05)

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


@pytest.mark.parametrize("waits", [True, False])
def test_several_come_one_after_another_and_the_first_frame_waits_once(monkeypatch, waits):
    """Together each might be too slow for the cloud, which ends a body that hardly comes."""
    monkeypatch.setattr(uploads, "LEISURE_S", 0.05)
    profiles = [gain_profile(MODEL.fingerprint, "layer3", (4, 3, 5), gain) for gain in (1.0, 2.0, 3.0)]

    async def check(cloud, uplink):
        keeping = Keeping(cloud)
        keeping.go_on.clear()
        began = asyncio.get_running_loop().time()
        await uplink.check()
        assert asyncio.get_running_loop().time() - began < 1.0
        await asyncio.sleep(0.2)
        assert len(cloud.uploads) == 1
        keeping.go_on.set()
        async with asyncio.timeout(20):
            while metric(uplink, "profile_uploads_total") < len(profiles):
                await asyncio.sleep(0.005)
        assert len(cloud.uploads) == len(profiles)

    with_cloud(check, profiles=profiles, wait_for_profiles=waits)
