"""What a cloud says over a session is believed only as far as it can be true; whatever it sends, it costs frames and not the run."""

import asyncio
import json
from types import SimpleNamespace

import pytest
from kits.streaming import Camera, opened, with_sessions
from kits.uplink import MODEL, metric

from edge.uplink.asking.answers import reply_from
from edge.uplink.asking.question import Question
from edge.uplink.reply import UntrueError
from edge.uplink.session.passage import Back
from shared.errors import ProfileMissingError, UplinkError
from shared.tasks.classify import Classify
from shared.wire.session.messages import Answered, Refused

QUESTION = Question("/model?top=5", Classify(MODEL.labels, 5), 1.0)
TOP = {"class_id": 7, "label": "cock", "probability": 0.5}


def read(said):
    return asyncio.run(reply_from(Back(said, "00" * 8, 100, 30, 0.1), QUESTION))


def test_an_answer_is_read_in_both_forms():
    task = QUESTION.task
    body = json.dumps({"top": [TOP]}).encode()
    as_json = read(Answered(1, body, True, {"tail": 1.5}))
    assert (as_json.answer.top[0]["class_id"], as_json.steps_ms) == (7, {"tail": 1.5})
    packed = task.pack(as_json.answer)
    assert packed is not None
    assert len(packed) == 4
    found = read(Answered(1, packed, False)).answer.top[0]
    assert (found["class_id"], found["label"]) == (7, "cock")
    assert found["probability"] == pytest.approx(0.5, abs=1e-4)


@pytest.mark.parametrize(
    "said",
    [
        Answered(1, b"", True),
        Answered(1, b"[]", True),
        Answered(1, b"\xff\x00", True),
        Answered(1, json.dumps({"top": [TOP | {"class_id": 1000}]}).encode(), True),
        Answered(1, json.dumps({"top": [TOP | {"probability": 1.5}]}).encode(), True),
        Answered(1, json.dumps({"top": [TOP], "task": "detect"}).encode(), True),
        Answered(1, json.dumps({"top": [TOP]}).encode(), True, {"tail": 1e7}),
        Answered(1, b"\xff\xff\xff\xff", False),
        Answered(1, b"\x01", False),
        Answered(1, b"x" * 100_000, True),
    ],
)
def test_an_answer_that_cannot_be_true(said):
    with pytest.raises(UntrueError):
        read(said)


@pytest.mark.parametrize(
    ("status", "reason", "expected"),
    [
        (424, "state_missing", "state"),
        (424, "profile_missing", "profile"),
        (503, "unavailable", "busy"),
        (429, "client_frames", "busy"),
        (504, "deadline", "late"),
        (401, "unauthenticated", "unauthorized"),
        (409, "fingerprint", "refused"),
        (422, "shape", "refused"),
    ],
)
def test_a_refusal_means_what_it_means_by_http(status, reason, expected):
    with pytest.raises(UplinkError) as caught:
        read(Refused(1, status, reason, "so it is\n\x1b[0m", None, 3))
    assert caught.value.reason == expected
    assert caught.value.retry_after_s == 3
    assert "\x1b" not in str(caught.value)


@pytest.mark.parametrize("number", [5, 60_000])
def test_an_answer_to_a_frame_that_was_not_sent_ends_the_connection(number):
    async def check(cloud, uplink):
        camera = Camera(await opened(uplink))
        assert await camera.ask() == "right"
        await cloud.say(lambda connection: connection.answer(Answered(number, b"{}", True)))
        await cloud.until(lambda: cloud.opened == 2)
        assert [await camera.ask() for _ in range(2)] in (["right"] * 2, ["state", "right"])

    with_sessions(check)


def test_an_answer_that_comes_twice_is_not_the_next_frames():
    async def check(cloud, uplink):
        camera = Camera(await opened(uplink))
        assert await camera.ask() == "right"
        body = json.dumps({"top": [TOP]}).encode()
        await cloud.say(lambda connection: connection.answer(Answered(0, body, True)))
        await cloud.until(lambda: cloud.opened == 2)
        assert "wrong" not in [await camera.ask() for _ in range(3)]

    with_sessions(check)


@pytest.mark.parametrize("data", [b"", b"\x00" * 100, b"\xff" * 3000])
def test_nonsense_ends_the_connection_and_costs_a_frame_at_most(data):
    async def check(cloud, uplink):
        camera = Camera(await opened(uplink))
        assert await camera.ask() == "right"
        for ws, _ in cloud.sockets:
            await ws.send_bytes(data)
        await cloud.until(lambda: cloud.opened == 2)
        assert (await camera.ask(), await camera.ask())[1] == "right"

    with_sessions(check)


def test_a_flood_of_pings_ends_the_connection():
    async def check(cloud, uplink):
        camera = Camera(await opened(uplink))
        assert await camera.ask() == "right"
        ((ws, _),) = cloud.sockets
        for _ in range(100):
            await ws.ping(b"x")
        await cloud.until(lambda: cloud.opened == 2)
        assert (await camera.ask(), await camera.ask())[1] == "right"

    with_sessions(check)


def test_a_cloud_that_lies_in_its_answers_is_not_believed_and_the_stream_goes_on():
    async def check(cloud, uplink):
        camera = Camera(await opened(uplink))
        task = camera.asking._question.task
        real, lies = task.parse, SimpleNamespace(left=1)

        def parse(fields):
            lies.left -= 1
            if lies.left == 0:
                raise ValueError("as if it were untrue")
            return real(fields)

        task.parse = parse
        assert await camera.ask() == "refused"
        assert await camera.ask() == "right"

    with_sessions(check)


def test_a_profile_that_the_cloud_lacks_is_no_ones_but_its_frames_fault():
    async def check(cloud, uplink):
        camera = Camera(await opened(uplink))
        cloud.refusal = ProfileMissingError("no such profile")
        assert await camera.ask() == "profile"
        cloud.refusal = None
        assert await camera.ask() == "right"
        assert uplink.circuit.is_closed
        assert metric(uplink, "session_frames_total", outcome="refused") == 1

    with_sessions(check)


def test_the_overhead_is_what_was_measured():
    async def check(cloud, uplink):
        assert uplink.frame_overhead_bytes == pytest.approx(1100)
        camera = Camera(await opened(uplink))
        for _ in range(60):
            assert await camera.ask() == "right"
        assert 30 < uplink.frame_overhead_bytes < 130  # the fake cloud answers in JSON
        sent = metric(uplink, "session_protocol_bytes_total", direction="up")
        assert 10 * 61 < sent < 40 * 61
        assert metric(uplink, "session_frame_overhead_bytes") == uplink.frame_overhead_bytes

    with_sessions(check)
