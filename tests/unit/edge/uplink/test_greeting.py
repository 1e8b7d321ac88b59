"""The comparison of both sides at the start."""

from __future__ import annotations

import asyncio

import pytest
from kits.uplink import HERE, make_uplink, metric, refusal, refused_url, short, with_cloud

from edge.uplink.circuit import State
from shared.codecs import make_codec
from shared.errors import MismatchError


def test_both_sides_run_the_same():
    async def check(cloud, uplink):
        await uplink.check()
        assert uplink.circuit.state is State.CLOSED

    with_cloud(check)


def test_a_cloud_that_runs_something_else_is_named():
    async def check(cloud, uplink):
        cloud.model = {"model": "resnet50", "weights": "IMAGENET1K_V1", "fingerprint": "1122334455667788"}
        with pytest.raises(MismatchError) as caught:
            await uplink.check()
        text = str(caught.value)
        assert "\n" not in text
        for part in (
            "resnet50",
            "IMAGENET1K_V1",
            "1122334455667788",
            "resnet18",
            "random:0",
            HERE["fingerprint"],
            cloud.url,
        ):
            assert part in text

    with_cloud(check)


@pytest.mark.parametrize(
    "answer",
    [(404, b"not found"), (200, b"<html>"), (200, {"ok": True}), (200, b"[]"), (403, HERE)],
    ids=short,
)
def test_something_that_is_no_splitdnn_cloud(answer):
    async def check(cloud, uplink):
        cloud.model = answer
        with pytest.raises(MismatchError, match=rf"not as a SplitDNN cloud \(GET /model: {answer[0]}\)"):
            await uplink.check()

    with_cloud(check)


@pytest.mark.parametrize("away", ["busy", "late", "cut", "endless"])
def test_a_cloud_that_is_away_opens_the_circuit(away, caplog):
    async def check(cloud, uplink):
        big = (200, b" " * (2 << 20))
        cloud.model = {"busy": (503, {}), "late": cloud.never, "cut": cloud.cut, "endless": big}[away]
        await uplink.check()
        assert uplink.circuit.state is State.OPEN
        assert (await refusal(uplink)).reason == "circuit_open"
        assert f"no cloud at {cloud.url} (" in caplog.text

    with_cloud(check, deadline_s=0.2)


def test_a_cloud_that_is_not_there_opens_the_circuit(caplog):
    async def go():
        with refused_url() as url:
            async with make_uplink(url) as uplink:
                await uplink.check()
                assert uplink.circuit.state is State.OPEN
                assert metric(uplink, "circuit_state", state="open") == 1
            assert asyncio.all_tasks() == {asyncio.current_task()}, "the prober has ended"

    asyncio.run(go())
    assert "the edge answers by itself" in caplog.text


def test_a_proxys_error_is_a_cloud_that_is_away():
    async def check(cloud, uplink):
        cloud.model = (502, b"bad gateway")
        await uplink.check()
        assert uplink.circuit.state is State.OPEN

    with_cloud(check)


def test_codecs_that_the_cloud_lacks_are_known_once_it_was_greeted():
    """A codec of another package may be installed on one side only."""
    int8, jpeg = make_codec("int8"), make_codec("jpeg")

    async def check(cloud, uplink):
        assert uplink.can_decode(int8)
        for codecs, known in [
            ({"int8": 5}, [True, False]),
            ({}, [False, False]),
            (None, [True, True]),
            (7, [True, True]),
        ]:
            cloud.model = HERE | {"codecs": codecs}
            await uplink.check()
            assert [uplink.can_decode(codec) for codec in (int8, jpeg)] == known, codecs
            assert uplink.can_decode(None)

    with_cloud(check)
