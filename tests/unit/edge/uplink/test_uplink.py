"""Frames that are asked about and answered, against a small fake cloud on 127.0.0.1."""

from __future__ import annotations

import asyncio
import threading
from types import SimpleNamespace

import pytest
from aiohttp import web
from kits.uplink import CLASS, FRAME, GOOD, MODEL, frame_of, metric, refusal, with_cloud

from edge.uplink.asking import exchange as exchange_module
from edge.uplink.circuit import State
from edge.uplink.profiles.sending import put
from shared.tasks.classify import Classes, Classify
from shared.tasks.spec import Wanted
from shared.wire.http import CONTENT_TYPE


def test_a_good_answer():
    async def check(cloud, uplink):
        reply = await uplink.ask(FRAME)
        assert reply.answer == Classes((CLASS,))
        assert reply.steps_ms == {"receive": 1.0, "tail": 2.5}
        assert cloud.frames == [FRAME]
        assert cloud.queries == [("/model?top=3", CONTENT_TYPE)]
        assert uplink.circuit.state is State.CLOSED
        assert metric(uplink, "uplink_bytes_total") == len(FRAME)

    with_cloud(check, wanted=Wanted(top=3))


def test_names_are_the_edges_own_whatever_the_cloud_calls_a_class():
    async def check(cloud, uplink):
        for label in ("hen", "", 7, None, "\ud800"):
            cloud.answer = GOOD | {"top": [CLASS | {"label": label}]}
            assert (await uplink.ask(FRAME)).answer == Classes((CLASS,)), label

    with_cloud(check)


def test_requests_one_after_another_share_a_connection():
    async def check(cloud, uplink):
        await uplink.check()
        for _ in range(12):
            await uplink.ask(FRAME)
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
        await asyncio.gather(*(uplink.ask(FRAME) for _ in range(4)))
        assert max(seen) == 4
        assert len(cloud.connections) == 4

    with_cloud(check)


def test_a_refused_frame_does_not_cost_the_connection():
    async def check(cloud, uplink):
        await uplink.ask(FRAME)
        cloud.answer = (409, {"error": "fingerprint", "reason": "fingerprint"})
        await refusal(uplink)
        cloud.answer = GOOD
        await uplink.ask(FRAME)
        assert len(cloud.connections) == 1

    with_cloud(check)


def test_throughput_is_the_frame_over_its_way(monkeypatch):
    """The cloud's `receive` is that way; it once was taken off, and a slow link looked fast."""
    ticks = iter([100.0, 101.0])
    monkeypatch.setattr(
        exchange_module, "time", SimpleNamespace(perf_counter=lambda: next(ticks), monotonic=lambda: 0)
    )

    async def check(cloud, uplink):
        cloud.answer = GOOD | {"stages_ms": {"receive": 790.0, "decode": 100.0, "tail": 400.0}}
        await uplink.ask(FRAME)
        assert metric(uplink, "uplink_throughput_bytes_per_second") == pytest.approx(5000 / 0.5)

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
        await uplink.ask(FRAME)
        assert metric(uplink, "retries_total") == 2

    with_cloud(check)


def test_the_link_is_learned_from_the_answers():
    async def check(cloud, uplink):
        async def answer(request):
            return web.json_response(GOOD | {"stages_ms": {"receive": 0.04, "queue": 0.03, "tail": 0.02}})

        cloud.answer = answer
        for _ in range(8):
            await uplink.ask(frame_of(20_000))
            await asyncio.sleep(0)
        assert uplink.link.is_known
        assert metric(uplink, "link_throughput_bytes_per_second") == uplink.link.state.bytes_per_s
        assert metric(uplink, "cloud_queue_wait_seconds") == pytest.approx(3e-5)

    with_cloud(check)


@pytest.mark.parametrize(
    ("threshold", "asked"),
    [(None, ""), (0.0, "threshold=0.0"), (0.35, "threshold=0.35"), (1.0, "threshold=1.0")],
)
@pytest.mark.parametrize("labels", [0, 1000])
def test_the_threshold_is_asked_for_if_it_is_set(threshold, asked, labels):
    async def check(cloud, uplink):
        cloud.answer = (422, {})
        await refusal(uplink)
        query = "&".join(filter(None, ["top=5" if labels else "", asked]))
        assert [path for path, _ in cloud.queries] == ["/model?" + query if query else "/model"]

    model = SimpleNamespace(**vars(MODEL) | {"labels": MODEL.labels[:labels]})
    with_cloud(check, model=model, wanted=Wanted(threshold=threshold))


@pytest.mark.parametrize("long", [False, True])
def test_a_long_answer_does_not_hold_up_the_event_loop(long):
    threads = []

    class Watched(Classify):
        def parse(self, fields):
            threads.append(threading.current_thread() is threading.main_thread())
            return super().parse(fields)

    async def check(cloud, uplink):
        uplink._task = Watched(MODEL.labels, 5)
        cloud.answer = GOOD | {"padding": "x" * (100_000 if long else 100)}
        assert (await uplink.ask(FRAME)).answer == Classes((CLASS,))
        cloud.answer = GOOD | {"top": [], "padding": "x" * (100_000 if long else 100)}
        assert (await refusal(uplink)).reason == "refused"
        assert threads == [not long] * 2

    with_cloud(check)


@pytest.mark.parametrize(("top", "labels", "asked"), [(1, 1000, 1), (5, 1000, 5), (5, 3, 3)])
def test_no_more_classes_are_asked_for_than_there_are(top, labels, asked):
    """The cloud refuses that, and a network of three classes was never answered by it."""

    async def check(cloud, uplink):
        cloud.answer = GOOD | {"top": [CLASS | {"class_id": 2}]}
        await uplink.ask(FRAME)
        assert cloud.queries == [(f"/model?top={asked}", CONTENT_TYPE)]

    model = SimpleNamespace(**vars(MODEL) | {"labels": MODEL.labels[:labels]})
    with_cloud(check, model=model, wanted=Wanted(top))


def test_what_takes_minutes_beside_the_frames_leaves_them_their_connections():
    async def check(cloud, uplink):
        held = asyncio.Event()

        async def hold(_request):
            await held.wait()
            return web.json_response({})

        cloud.tail_times = cloud.put = hold
        client = uplink._client
        slow = [
            asyncio.create_task(each)
            for each in (uplink.tail_times(), put(client, "x", (b"x", "identity"), 60.0))
        ]
        while len(client._session.connector._acquired) < len(slow):
            await asyncio.sleep(0)
        await uplink.ask(FRAME)
        held.set()
        await asyncio.gather(*slow)

    with_cloud(check, in_flight=1, deadline_s=2.0)
