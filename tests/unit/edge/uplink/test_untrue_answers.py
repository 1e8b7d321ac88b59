"""Answers that look like answers and cannot be true: the frame is the edge's to answer, and the log says why, now and then."""

from __future__ import annotations

import gzip
import json
import logging
import zlib
from types import SimpleNamespace

import pytest
from aiohttp import web
from kits.uplink import CLASS, FRAME, GOOD, frame_of, metric, refusal, short, with_cloud

from edge.uplink.asking import exchange as exchange_module
from shared.errors import UplinkError
from shared.tasks.classify import Classes
from shared.wire.http import ANSWER_STEPS


def classes(*probabilities):
    return [CLASS | {"class_id": place, "probability": each} for place, each in enumerate(probabilities)]


LIES = [
    GOOD | {"frame_id": 2},
    GOOD | {"frame_id": 1.0},
    GOOD | {"frame_id": True},
    GOOD | {"frame_id": "1"},
    {name: value for name, value in GOOD.items() if name != "frame_id"},
    GOOD | {"split_point": "input"},
    GOOD | {"split_point": None},
    {name: value for name, value in GOOD.items() if name != "split_point"},
    GOOD | {"top": classes(*[0.1] * 6)},
    GOOD | {"top": classes(0.2, 0.3)},
    GOOD | {"top": classes(0.6, 0.5)},
    GOOD | {"top": classes(1.0000011)},
    GOOD | {"top": classes(1e308)},
    GOOD | {"top": classes(True)},
    GOOD | {"top": classes(-1e-9)},
    GOOD | {"top": [CLASS | {"class_id": -5}]},
    GOOD | {"top": [CLASS | {"class_id": True}]},
    GOOD | {"top": [CLASS | {"class_id": 10**300}]},
    GOOD | {"stages_ms": {f"step{number}": 1 for number in range(33)}},
    GOOD | {"stages_ms": {"tail": -1}},
    GOOD | {"stages_ms": {"tail": True}},
    GOOD | {"stages_ms": {"tail": 1e12}},
    GOOD | {"stages_ms": {"tail": 5601}},
    GOOD | {"received": {"bytes": 5001, "ms": 1}},
    GOOD | {"received": {"bytes": 1e308, "ms": 1e-300}},
    GOOD | {"received": {"bytes": 100, "ms": 5601}},
    GOOD | {"received": [100, 1]},
]


def test_what_cannot_be_true_is_refused():
    async def check(cloud, uplink):
        for lie in LIES:
            cloud.answer = lie
            error = await refusal(uplink)
            assert error.reason == "refused", short(lie)
            assert str(error).startswith("the answer is "), short(lie)
            assert len(str(error)) < 200, short(lie)
            uplink.circuit.succeeded()  # or it would open
        assert len(cloud.frames) == len(LIES), "none is asked for again"

    with_cloud(check, deadline_s=5.0)


def test_what_may_be_true_is_taken():
    true = [
        (GOOD | {"top": classes(0.5, 0.5)}, 2),
        (GOOD | {"top": classes(0.500001, 0.5)}, 2),
        (GOOD | {"top": classes(*[0.2] * 5)}, 5),
        (GOOD | {"top": classes(1.0, 0.0)}, 2),
        (GOOD | {"stages_ms": {"tail": 5599}, "received": {"bytes": 5000, "ms": 5599}}, 1),
        (GOOD | {"cookie": "a key of a later cloud"}, 1),
    ]

    async def check(cloud, uplink):
        for answer, count in true:
            cloud.answer = answer
            assert len((await uplink.ask(FRAME)).answer.top) == count, short(answer)

    with_cloud(check, deadline_s=5.0)


def test_the_answers_of_two_requests_that_were_mixed_up_are_both_refused():
    async def check(cloud, uplink):
        for size in (5000, 9000):
            cloud.answer = GOOD | {"frame_id": 7}
            with pytest.raises(UplinkError, match="to another frame than the one that was sent"):
                await uplink.ask(frame_of(size))

    with_cloud(check)


def test_steps_of_a_later_cloud_are_left_out():
    async def check(cloud, uplink):
        times = dict.fromkeys(ANSWER_STEPS, 1.0)
        cloud.answer = GOOD | {"stages_ms": times | {"\x1b[2J": 1.0, "translate": 2.0}}
        assert (await uplink.ask(FRAME)).steps_ms == times

    with_cloud(check)


def test_the_name_of_a_class_is_the_edges_own():
    async def check(cloud, uplink):
        for label in ("\x1b]0;owned\x07\x1b[2J\nframe 0 FORGED", "A" * 900_000, None, "nonsense"):
            cloud.answer = GOOD | {"top": [CLASS | {"label": label}]}
            assert (await uplink.ask(FRAME)).answer == Classes((CLASS,)), short(label)

    with_cloud(check)


def test_the_log_says_what_was_not_believed_once_a_minute(caplog, monkeypatch):
    now = SimpleNamespace(time=100.0)

    async def check(cloud, uplink):
        monkeypatch.setattr(uplink._streaming._exchange._untrue, "_clock", lambda: now.time)
        cloud.answer = GOOD | {"split_point": "\x1b[2Jinput"}
        for _ in range(5):
            await refusal(uplink)
            uplink.circuit.succeeded()
        now.time += exchange_module._TELL_S
        await refusal(uplink)

    with caplog.at_level(logging.WARNING, "edge.uplink.asking.exchange"):
        with_cloud(check)
    lines = [line.getMessage() for line in caplog.records if "cannot be true" in line.getMessage()]
    said = "an answer of the cloud cannot be true, so the edge answers itself: the answer is of the split point ?[2Jinput, the frame is of layer3"
    assert lines == [said, f"{said}; 4 more since this was last said"]


def test_a_compressed_answer_is_not_unpacked():
    """A hundred kilobytes may become hundreds of megabytes."""
    body = json.dumps(GOOD).encode()
    packed = {
        "gzip": gzip.compress(body),
        "deflate": zlib.compress(body),
        "GZIP": b"\x1f\x8b garbage",
        "br": b"x",
    }

    async def check(cloud, uplink):
        asked = set()
        for encoding, data in packed.items():

            async def answer(request, encoding=encoding, data=data):
                asked.add(request.headers["Accept-Encoding"])
                return web.Response(body=data, headers={"Content-Encoding": encoding})

            cloud.answer = answer
            error = await refusal(uplink)
            assert (error.reason, str(error)) == (
                "refused", f"the answer came as {encoding}; accepted: identity"
            ), encoding  # fmt: skip
            uplink.circuit.succeeded()
        assert asked == {"identity"}

    with_cloud(check)


def test_cookies_are_not_kept():
    async def check(cloud, uplink):
        seen = []

        async def answer(request):
            seen.append(request.headers.get("Cookie"))
            response = web.json_response(GOOD)
            for number in range(50):
                response.set_cookie(f"c{number}", "v" * 50)
            return response

        cloud.answer = answer
        for _ in range(3):
            await uplink.ask(FRAME)
        assert seen == [None] * 3

    with_cloud(check)


@pytest.mark.parametrize("name", ["http_proxy", "HTTP_PROXY", "all_proxy"])
def test_no_proxy_of_the_environment_gets_frames(monkeypatch, name):
    monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)

    async def check(_cloud, uplink):
        assert (await uplink.ask(FRAME)).answer == Classes((CLASS,))
        assert metric(uplink, "retries_total") == 0

    with_cloud(check)


def test_an_error_of_the_connection_is_told_without_what_acts_on_a_terminal():
    async def check(cloud, uplink):
        async def garbage(request):
            request.transport.write(b"HTTP/1.1 2\x1b[2J0 \x9b0m\r\n\r\n")
            request.transport.close()
            return web.Response()

        cloud.answer = garbage
        error = await refusal(uplink)
        assert error.reason == "unreachable"
        assert str(error).isprintable()
        assert len(str(error)) <= 300

    with_cloud(check)
