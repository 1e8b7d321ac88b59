"""Several clouds behind real connections: two that listen here."""

from __future__ import annotations

import asyncio
import contextlib

import pytest
from aiohttp import web
from kits.edge import settings_of
from kits.profiles import make_profile
from kits.uplink import FRAME, GOOD, HERE, LABELS, MODEL, WANTED, fake_cloud, refused_url

from edge.metrics import EdgeMetrics
from edge.uplink.clouds.addresses import name_of
from edge.uplink.clouds.clouds import Clouds
from edge.uplink.clouds.opening import make_line, make_uplink
from edge.uplink.clouds.uplinks import FIRST_SHARE, Uplinks
from edge.uplink.line import Line
from edge.uplink.uplink import Uplink
from shared.errors import UplinkError
from shared.tasks.classify import Classify

PROFILE = make_profile(MODEL.fingerprint, "layer3", (4, 3, 3), count=4)


@contextlib.asynccontextmanager
async def edge_of(*urls, deadline_s=60.0, **options):
    metrics = EdgeMetrics()
    settings = settings_of(cloud_url=",".join(urls))
    line = make_line(settings, metrics, in_flight=4, deadline_s=deadline_s, bearer=None)
    async with line:
        uplink = make_uplink(
            line, MODEL, Classify(LABELS, WANTED.top), metrics, wanted=WANTED, follows=False, **options
        )
        await uplink.check()
        uplink.take_over()
        uplink.line, uplink.metrics = line, metrics
        uplink.asked = uplink.asking(WANTED, Classify(LABELS, WANTED.top), deadline_s)
        try:
            yield uplink
        finally:
            await uplink.close()


def run(check):
    asyncio.run(asyncio.wait_for(check(), 120))


async def greeted(uplink):
    while not all(seat.joined for seat in uplink._seats):
        await asyncio.sleep(0.001)


def test_with_one_address_everything_is_as_before():
    async def check():
        async with fake_cloud() as cloud, edge_of(cloud.url) as uplink:
            assert type(uplink) is Uplink
            assert type(uplink.line) is Line
            assert (await uplink.asked.ask(FRAME)).address == name_of(cloud.url)
            said = uplink.metrics.registry.get_sample_value
            assert said("splitdnn_edge_cloud_in_flight", {"cloud": name_of(cloud.url)}) is None

    run(check)


def test_frames_reach_both_and_their_answers_say_which():
    async def check():
        async with fake_cloud() as one, fake_cloud() as other, edge_of(one.url, other.url) as uplink:
            assert type(uplink) is Uplinks
            assert type(uplink.line) is Clouds
            await greeted(uplink)
            said = [(await uplink.asked.ask(FRAME)).address for _ in range(40)]
            assert set(said) == {name_of(one.url), name_of(other.url)}
            assert (len(one.frames), len(other.frames)) == (
                said.count(name_of(one.url)),
                said.count(name_of(other.url)),
            )
            assert {each["state"] for each in uplink.line.said()} == {"closed"}

    run(check)


def test_what_one_refuses_or_breaks_off_the_other_answers():
    async def check():
        async with fake_cloud() as one, fake_cloud() as other, edge_of(one.url, other.url) as uplink:
            await greeted(uplink)
            for answer in (
                (400, {"error": "no", "reason": "bad_frame"}),
                one.cut,
                (409, {"error": "x", "reason": "y"}),
            ):
                one.answer = answer
                for _ in range(5):
                    assert (await uplink.asked.ask(FRAME)).address == name_of(other.url)

    run(check)


def test_a_cloud_that_asks_to_be_left_alone_is():
    async def busy(_request):
        return web.json_response(
            {"error": "busy", "reason": "busy"}, status=503, headers={"Retry-After": "7"}
        )

    async def check():
        async with fake_cloud() as one, fake_cloud() as other, edge_of(one.url, other.url) as uplink:
            await greeted(uplink)
            one.answer = busy
            for _ in range(30):
                assert (await uplink.asked.ask(FRAME)).address == name_of(other.url)
            assert len(one.frames) == 1, "once: then it was left alone"
            (seat, _) = uplink._seats
            assert seat.is_paused
            one.answer, other.answer = GOOD, busy
            assert (await uplink.asked.ask(FRAME)).address == name_of(one.url), "the other is busy, too"

    run(check)


def test_the_start_waits_for_no_cloud_that_is_away_and_its_frames_go_elsewhere():
    async def check():
        with refused_url() as nowhere:
            async with fake_cloud() as cloud, edge_of(nowhere, cloud.url) as uplink:
                assert {(await uplink.asked.ask(FRAME)).address for _ in range(10)} == {name_of(cloud.url)}
                away, _ = uplink.line.members
                while away.line.circuit.is_closed:
                    await asyncio.sleep(0.001)

    run(check)


def test_a_cloud_that_hangs_is_given_a_part_of_the_deadline():
    async def check():
        async with (
            fake_cloud() as one,
            fake_cloud() as other,
            edge_of(one.url, other.url, deadline_s=2.0) as uplink,
        ):
            await greeted(uplink)
            one.answer = one.never
            said = [(await uplink.asked.ask(FRAME)).address for _ in range(8)]
            assert set(said) == {name_of(other.url)}
            assert uplink.line.members[0].line.deadline_s == pytest.approx(FIRST_SHARE * 2.0)
            assert not uplink.line.members[0].line.circuit.is_closed

    run(check)


def test_each_cloud_gets_the_profile_and_frames_go_where_it_is():
    async def check():
        async with fake_cloud() as one, fake_cloud() as other:
            one.model = HERE | {"profiles": [PROFILE.name]}
            other.put = (422, {"error": "no", "reason": "bad_profile"})
            async with edge_of(one.url, other.url, profiles=[PROFILE]) as uplink:
                await greeted(uplink)
                for _ in range(5):
                    assert (await uplink.asked.ask(FRAME, PROFILE)).address == name_of(one.url)
                assert len(other.uploads) == 1
                assert not one.uploads

    run(check)


def test_without_any_the_edge_is_told_so():
    async def check():
        with refused_url() as one, refused_url() as other:
            async with edge_of(one, other) as uplink:
                with pytest.raises(UplinkError) as caught:
                    await uplink.asked.ask(FRAME)
                assert caught.value.reason == "circuit_open"
                assert uplink.circuit.is_open

    run(check)


def test_what_a_cloud_that_lies_says_of_itself_ends_nothing():
    async def check():
        async with fake_cloud() as one, fake_cloud() as other:
            for lie in (
                {"codecs": {"a": [], "b": {}, "c": None, "int8": 2}, "split_points": {}, "bundle": []},
                {"codecs": [], "split_points": [], "bundle": "served", "also_serves": 7, "profiles": 7},
                {"fingerprint": []},
                {"fingerprint": "../../x", "bundle": {"served": "yes"}},
            ):
                one.model = HERE | lie
                async with edge_of(one.url, other.url) as uplink:
                    while not uplink._seats[1].joined:
                        await asyncio.sleep(0.001)
                    answers = [(await uplink.asked.ask(FRAME)).address for _ in range(10)]
                    assert name_of(other.url) in answers, lie
                    assert not uplink.line.members[0].line.gives_bundle, lie

    run(check)
