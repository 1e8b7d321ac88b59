"""The comparison of both sides at the start."""

from __future__ import annotations

import asyncio

import pytest
from kits.uplink import (
    FRAME,
    GOOD,
    HERE,
    LABELS,
    make_uplink,
    metric,
    refusal,
    refused_url,
    short,
    with_cloud,
)

from edge.uplink.circuit import State
from shared.codecs import make_codec
from shared.errors import MismatchError
from shared.network.labels import labels_sha256


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


def test_a_cloud_that_reads_the_outputs_otherwise_is_named():
    """Both have the same graph and weights, and so the same fingerprint."""

    async def check(cloud, uplink):
        cloud.model = HERE | {"task": "detect"}
        with pytest.raises(
            MismatchError,
            match="answers with the task detect, this edge with classify; give both the same --task",
        ):
            await uplink.check()
        cloud.model = HERE | {"task": "classify"}
        await uplink.check()
        cloud.model = HERE | {"task": "raw", "fingerprint": "0" * 16, "also_serves": [HERE["fingerprint"]]}
        await uplink.check()  # it is another network's

    with_cloud(check)


def test_what_it_says_of_itself_controls_no_terminal():
    async def check(cloud, uplink):
        for name in ("\x1b[2J\x1b]0;owned\x07\nERROR forged line", "A" * 300_000, ["x"] * 3, None):
            cloud.model = {"model": name, "weights": name, "fingerprint": name}
            with pytest.raises(MismatchError) as caught:
                await uplink.check()
            assert str(caught.value).isprintable()
            assert len(str(caught.value)) < 500

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


def test_a_cloud_that_still_serves_this_network_beside_a_newer_one_is_the_right_one():
    async def check(cloud, uplink):
        cloud.model = HERE | {"fingerprint": "00" * 8, "also_serves": ["11" * 8, HERE["fingerprint"]]}
        await uplink.check()
        assert uplink.circuit.state is State.CLOSED
        assert uplink._line.heard.fingerprint == "00" * 8
        for also in ([], ["11" * 8], None, 7, {}):
            cloud.model = HERE | {"fingerprint": "00" * 8, "also_serves": also}
            with pytest.raises(MismatchError):
                await uplink.check()

    with_cloud(check)


def test_an_edge_that_follows_its_cloud_waits_for_the_other_network():
    async def check(cloud, uplink):
        cloud.model = HERE | {"fingerprint": "00" * 8}
        await uplink.check()
        assert uplink.circuit.state is State.OPEN
        assert uplink._line.heard.is_other_than(HERE["fingerprint"])

    with_cloud(check, follows=True)


def test_other_names_for_the_classes_are_said_once(caplog):
    async def check(cloud, uplink):
        for said in ({}, {"labels_sha256": labels_sha256(LABELS)}, {"labels_sha256": None}):
            cloud.model = HERE | said
            await uplink.check()
        cloud.model = HERE | {
            "fingerprint": "00" * 8,
            "also_serves": [HERE["fingerprint"]],
            "labels_sha256": "0" * 64,
        }
        await uplink.check()
        assert not caplog.records, "another network may well have other classes"
        for _ in range(3):
            cloud.model = HERE | {"labels_sha256": "0" * 64}
            await uplink.check()
        assert [line.levelname for line in caplog.records] == ["WARNING"]
        assert "other names for the classes" in caplog.text

    with_cloud(check)


def test_every_reply_says_which_network_the_cloud_runs():
    async def check(cloud, uplink):
        heard = uplink._line.heard
        await uplink.ask(FRAME)
        assert heard.fingerprint is None, "a cloud of 0.5.0 does not say it with a reply"
        for said in (7, None, "../x", "0" * 15, "G" * 16, ["00" * 8]):
            cloud.answer = GOOD | {"fingerprint": said}
            await uplink.ask(FRAME)
            assert heard.fingerprint is None, said
        cloud.answer = GOOD | {"fingerprint": "00" * 8}
        await uplink.ask(FRAME)
        assert heard.fingerprint == "00" * 8

    with_cloud(check)


def test_codecs_that_the_cloud_lacks_are_known_once_it_was_greeted():
    """A codec of another package may be installed on one side only."""
    int8, jpeg = make_codec("int8"), make_codec("jpeg")

    async def check(cloud, uplink):
        assert uplink.can_answer("a", int8)
        for codecs, known in [
            ({"int8": 5}, [True, False]),
            ({}, [False, False]),
            (None, [True, True]),
            (7, [True, True]),
        ]:
            cloud.model = HERE | {"codecs": codecs}
            await uplink.check()
            assert [uplink.can_answer("a", codec) for codec in (int8, jpeg)] == known, codecs
            assert uplink.can_answer("a", None)

    with_cloud(check)


def test_split_points_that_the_cloud_lacks_are_known_once_it_was_greeted():
    """A cloud of before frames of several tensors offers none where several cross."""
    raw = make_codec("float32")

    async def check(cloud, uplink):
        assert uplink.can_answer("a+b", raw)
        for points, known in [
            ({"a": [1, 2, 3]}, [True, False]),
            ({"a": [1, 2, 3], "a+b": [[1, 2, 3], [4]]}, [True, True]),
            (None, [True, True]),
            (7, [True, True]),
        ]:
            cloud.model = HERE | {"split_points": points}
            await uplink.check()
            assert [uplink.can_answer(name, raw) for name in ("a", "a+b")] == known, points
            assert uplink.can_answer("output", None)

    with_cloud(check)
