"""The way to the cloud, against a small fake one on 127.0.0.1."""

from __future__ import annotations

import asyncio
import contextlib
import json
from types import SimpleNamespace

import pytest
from aiohttp import web
from kits.uplink import (
    CLASS,
    FRAME,
    GOOD,
    HERE,
    make_uplink,
    metric,
    refusal,
    refused_url,
    with_cloud,
)

from edge.uplink import circuit as circuit_module
from edge.uplink import uplink as uplink_module
from edge.uplink.circuit import State
from edge.uplink.uplink import MismatchError
from shared.wire.http import CONTENT_TYPE, content_digest


def short(parameter):
    return repr(parameter)[:40]


# --- answers ------------------------------------------------------------------------------------------------------


def test_a_good_answer():
    async def check(cloud, uplink):
        reply = await uplink.ask(FRAME, 3)
        assert reply.top == [CLASS]
        assert reply.stages_ms == {"receive": 1.0, "tail": 2.5}
        assert cloud.frames == [FRAME]
        assert cloud.queries == [("/model?top=3", CONTENT_TYPE)]
        assert uplink.circuit.state is State.CLOSED
        assert metric(uplink, "uplink_bytes_total") == len(FRAME)

    with_cloud(check)


def test_requests_one_after_another_share_a_connection():
    async def check(cloud, uplink):
        await uplink.check()
        for _ in range(12):
            await uplink.ask(FRAME, 5)
        assert len(cloud.frames) == 12
        assert len(cloud.connections) == 1
        assert metric(uplink, "uplink_bytes_total") == 12 * len(FRAME)

    with_cloud(check)


def test_requests_at_once_are_under_way_at_once():
    async def check(cloud, uplink):
        everyone, seen = asyncio.Event(), []

        async def answer(request):
            seen.append(metric(uplink, "in_flight"))
            if len(seen) == 4:
                everyone.set()
            await everyone.wait()
            return web.json_response(GOOD)

        cloud.answer = answer
        await asyncio.gather(*(uplink.ask(FRAME, 5) for _ in range(4)))
        assert max(seen) == 4
        assert len(cloud.connections) == 4

    with_cloud(check)


def test_a_refused_frame_does_not_cost_the_connection():
    async def check(cloud, uplink):
        await uplink.ask(FRAME, 5)
        cloud.answer = (409, {"error": "fingerprint", "reason": "fingerprint"})
        await refusal(uplink)
        cloud.answer = GOOD
        await uplink.ask(FRAME, 5)
        assert len(cloud.connections) == 1

    with_cloud(check)


def test_throughput_is_the_frame_over_its_way(monkeypatch):
    """The cloud's `receive` is that way; it once was taken off, and a slow link looked fast."""
    ticks = iter([100.0, 101.0])
    monkeypatch.setattr(
        uplink_module, "time", SimpleNamespace(perf_counter=lambda: next(ticks), monotonic=lambda: 0)
    )

    async def check(cloud, uplink):
        cloud.answer = GOOD | {"stages_ms": {"receive": 790.0, "decode": 100.0, "tail": 400.0}}
        await uplink.ask(FRAME, 5)
        assert metric(uplink, "uplink_throughput_bytes_per_second") == pytest.approx(5000 / 0.5)

    with_cloud(check)


# --- every way in which there is none -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "reason"),
    [(503, "busy"), (504, "late"), (409, "refused"), (422, "refused"), (500, "refused"), (204, "refused")],
)
def test_a_status_and_its_reason(status, reason):
    async def check(cloud, uplink):
        cloud.answer = (status, b"" if status == 204 else {"error": "as it says", "reason": "x"})
        error = await refusal(uplink)
        assert error.reason == reason
        assert str(error).startswith(str(status))
        assert ("as it says" in str(error)) == (status != 204)

    with_cloud(check)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"\xff\xfe",
        b"[1]",
        b"null",
        b"[" * 100_000,
        b"{}",
        {"top": [CLASS]},
        {"stages_ms": {}},
        GOOD | {"top": []},
        GOOD | {"top": None},
        GOOD | {"top": ["cock"]},
        GOOD | {"top": {"class_id": 7}},
        GOOD | {"top": [{"class_id": 7, "label": "cock"}]},
        GOOD | {"top": [CLASS | {"class_id": None}]},
        GOOD | {"top": [CLASS | {"label": 7}]},
        GOOD | {"top": [CLASS | {"label": "\ud800"}]},
        GOOD | {"top": [CLASS | {"probability": float("nan")}]},
        GOOD | {"top": [CLASS | {"probability": "0.5"}]},
        GOOD | {"stages_ms": [1]},
        GOOD | {"stages_ms": {"tail": "2.5"}},
        GOOD | {"stages_ms": {"tail": None}},
        GOOD | {"stages_ms": {"tail": float("inf")}},
        GOOD | {"stages_ms": {"tail": 10**400}},
    ],
    ids=short,
)
def test_an_answer_that_is_none_of_ours(body):
    """Whatever it is, it costs this frame and not the run."""

    async def check(cloud, uplink):
        cloud.answer = (200, body)
        error = await refusal(uplink)
        assert (error.reason, str(error)) == ("refused", "the answer is not one of a SplitDNN cloud")
        cloud.answer = (422, body)
        assert (await refusal(uplink)).reason == "refused"

    with_cloud(check)


@pytest.mark.parametrize("status", [200, 409])
def test_an_answer_without_end_is_cut_short(status):
    async def check(cloud, uplink):
        sent = 0

        async def endless(request):
            nonlocal sent
            response = web.StreamResponse(status=status)
            await response.prepare(request)
            with contextlib.suppress(ConnectionError):
                while sent < 1 << 26:
                    await response.write(b" " * 65536)
                    sent += 65536
            return response

        cloud.answer = endless
        error = await refusal(uplink)
        assert error.reason == "refused"
        assert "longer than 1048576 bytes" in str(error)
        assert sent < 1 << 25, "the rest was not read"

    with_cloud(check)


def test_a_long_refusal_is_shortened():
    async def check(cloud, uplink):
        cloud.answer = (422, {"error": "x" * 100_000})
        assert len(str(await refusal(uplink))) == 300

    with_cloud(check)


def test_nobody_listens():
    async def go():
        with refused_url() as url:
            async with make_uplink(url) as uplink:
                error = await refusal(uplink)
                assert error.reason == "unreachable"
                assert str(error)
                assert metric(uplink, "uplink_bytes_total") == 0, "nothing was sent"

    asyncio.run(go())


def test_the_connection_breaks_in_the_middle_of_an_answer():
    async def check(cloud, uplink):
        cloud.answer = cloud.cut
        error = await refusal(uplink)
        assert error.reason == "unreachable"
        assert str(error)
        cloud.answer = GOOD
        await uplink.ask(FRAME, 5)

    with_cloud(check)


def test_the_cloud_never_answers():
    async def check(cloud, uplink):
        cloud.answer = cloud.never
        error = await refusal(uplink)
        assert (error.reason, str(error)) == ("late", "no answer within 0.05 s")
        assert metric(uplink, "uplink_bytes_total") == len(FRAME), "what was sent in vain was sent"

    with_cloud(check, deadline_s=0.05)


# --- the circuit --------------------------------------------------------------------------------------------------


def test_an_open_circuit_asks_nobody():
    async def check(cloud, uplink):
        cloud.answer = (503, {})
        reasons = [(await refusal(uplink)).reason for _ in range(6)]
        assert reasons == ["busy"] * 3 + ["circuit_open"] * 3
        assert len(cloud.frames) == 3
        assert metric(uplink, "circuit_state", state="open") == 1

    with_cloud(check)


def test_a_frame_that_is_given_up_is_no_failure():
    async def check(cloud, uplink):
        cloud.answer = cloud.never
        for _ in range(5):
            task = asyncio.create_task(uplink.ask(FRAME, 5))
            while not cloud.frames:
                await asyncio.sleep(0.001)
            cloud.frames.clear()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        assert uplink.circuit.state is State.CLOSED

    with_cloud(check)


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(uplink_module, "_PROBE_PERIOD_S", 0.002)
    monkeypatch.setattr(circuit_module, "COOL_DOWN_S", 0.002)


async def until(uplink, state):
    while uplink.circuit.state is not state:
        await asyncio.sleep(0.002)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    "away", [(503, {}), (500, b"<html>"), (200, b"[" * 100_000), HERE | {"fingerprint": "00"}], ids=short
)
def test_a_probe_finds_out_when_the_cloud_is_back(away):
    async def check(cloud, uplink):
        probes = 0

        async def still_away(request):
            nonlocal probes
            probes += 1
            return await cloud._respond(away, request)

        cloud.model, cloud.answer = still_away, (503, {})
        while uplink.circuit.state is State.CLOSED:
            await refusal(uplink)
        while probes < 3:
            await asyncio.sleep(0.002)
        assert uplink.circuit.state is State.OPEN
        cloud.model, cloud.answer = HERE, GOOD
        await until(uplink, State.HALF_OPEN)
        await uplink.ask(FRAME, 5)
        assert uplink.circuit.state is State.CLOSED
        assert len(cloud.frames) == 4, "no frame paid for the probes"

    with_cloud(check)


@pytest.mark.usefixtures("impatient")
def test_a_probe_that_is_under_way_at_the_end_is_ended():
    async def check(cloud, uplink):
        asked = asyncio.Event()

        async def never(request):
            asked.set()
            return await cloud.never(request)

        cloud.model = never
        uplink.circuit.open("as the test says")
        await asked.wait()

    with_cloud(check)


@pytest.mark.usefixtures("impatient")
def test_a_failed_trial_opens_it_again():
    async def check(cloud, uplink):
        cloud.answer = (422, {"error": "no"})
        while uplink.circuit.state is State.CLOSED:
            await refusal(uplink)
        await until(uplink, State.HALF_OPEN)
        assert (await refusal(uplink)).reason == "refused"
        assert uplink.circuit.state is State.OPEN

    with_cloud(check)


# --- the comparison at the start ----------------------------------------------------------------------------------


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


@pytest.mark.usefixtures("impatient")
def test_a_cloud_that_changed_while_it_was_away_is_named_once_not_at_every_probe(caplog):
    async def check(cloud, uplink):
        probes = 0

        async def changed(request):
            nonlocal probes
            probes += 1
            return await cloud._respond(HERE | {"fingerprint": "00" * 8}, request)

        cloud.model = changed
        uplink.circuit.open("for this test")
        while probes < 3:
            await asyncio.sleep(0.002)
        assert uplink.circuit.state is State.OPEN

    with_cloud(check)
    told = [
        record
        for record in caplog.records
        if "give both the same --model and --weights" in record.getMessage()
    ]
    assert [record.levelname for record in told] == ["WARNING"]


def test_a_proxys_error_is_a_cloud_that_is_away():
    async def check(cloud, uplink):
        cloud.model = (502, b"bad gateway")
        await uplink.check()
        assert uplink.circuit.state is State.OPEN

    with_cloud(check)


@pytest.mark.parametrize("flip", [None, 5, 40])
def test_an_answer_that_was_damaged_on_its_way_is_not_believed(flip):
    async def check(cloud, uplink):
        async def answer(_request):
            body = json.dumps(GOOD).encode()
            digest = content_digest(body)
            if flip is not None:
                body = body[:flip] + bytes([body[flip] ^ 1]) + body[flip + 1 :]
            return web.Response(body=body, headers={"Content-Digest": digest})

        cloud.answer = answer
        if flip is None:
            await uplink.ask(FRAME, 5)
        else:
            assert (await refusal(uplink)).reason == "damaged"

    with_cloud(check)


def test_a_digest_of_another_kind_is_left_unchecked():
    async def check(cloud, uplink):
        async def answer(_request):
            return web.Response(body=json.dumps(GOOD).encode(), headers={"Content-Digest": "unixsum=:30637:"})

        cloud.answer = answer
        await uplink.ask(FRAME, 5)

    with_cloud(check)


def test_a_connection_that_breaks_before_the_answer_is_tried_once_more():
    async def check(cloud, uplink):
        times = []

        async def gone(request):
            times.append(request)
            request.transport.abort()
            return web.Response()

        cloud.answer = gone
        assert (await refusal(uplink)).reason == "unreachable"
        assert len(times) == 2
        assert metric(uplink, "retries_total") == 1
        times.clear()

        async def gone_once(request):
            return await gone(request) if not times else web.json_response(GOOD)

        cloud.answer = gone_once
        await uplink.ask(FRAME, 5)
        assert metric(uplink, "retries_total") == 2

    with_cloud(check)


def test_who_is_under_way_when_the_circuit_opens_does_not_wait_for_the_deadline():
    async def check(cloud, uplink):
        cloud.answer = cloud.never
        asked = [asyncio.create_task(refusal(uplink)) for _ in range(3)]
        while len(cloud.frames) < 3:
            await asyncio.sleep(0.002)
        uplink.circuit.open("as the test says")
        reasons = {error.reason for error in await asyncio.wait_for(asyncio.gather(*asked), 1)}
        assert reasons == {"circuit_open"}

    with_cloud(check, deadline_s=10.0)


def test_the_link_is_learned_from_the_answers():
    async def check(cloud, uplink):
        async def answer(request):
            return web.json_response(GOOD | {"stages_ms": {"receive": 0.04, "queue": 0.03, "tail": 0.02}})

        cloud.answer = answer
        for _ in range(8):
            await uplink.ask(bytes(20_000), 5)
            await asyncio.sleep(0)
        assert uplink.link.is_known
        assert metric(uplink, "link_throughput_bytes_per_second") == uplink.link.state.bytes_per_s
        assert metric(uplink, "cloud_queue_wait_seconds") == pytest.approx(3e-5)

    with_cloud(check)
