"""A light edge behaves as ours: one record a frame, one repeat where ours repeats, and its own answer within the deadline."""

from __future__ import annotations

import asyncio
import json
from urllib.parse import urlsplit

import pytest
from kits import virtual_time

from bench.soak.fleet.edge import LightEdge, Picture
from shared.wire.frame import EncodedTensor, Frame, heading, unpack

SESSION = 0x1234
CLOUD = b"SplitDNN-Cloud: 0123456789abcdef\r\n"
RIGHT = 7
DEADLINE_S = 0.6


def picture(class_id=RIGHT):
    tensor = EncodedTensor(0, (2, 1, 1), b"", b"12345678")
    return Picture(Frame("layer3", (tensor,), b"8 bytes!", 0, 0, 0), class_id)


def answer(frame, class_id=RIGHT, frame_id=None):
    number, point = heading(frame)
    top = [{"class_id": class_id, "label": "x", "probability": 1}]
    number = number if frame_id is None else frame_id
    return json.dumps({"frame_id": number, "split_point": point, "top": top}).encode()


class Door:
    """Does what the next of `moods` says with each request: a status with or without the header of a cloud, `cut`, `hang` or an answer."""

    def __init__(self, *moods):
        self.moods = list(moods)
        self.frames = []
        self.over = asyncio.Event()

    async def answer(self, _head, frame, writer):
        self.frames.append(frame)
        mood = self.moods.pop(0) if self.moods else "answer"
        if mood == "cut":
            return False
        if mood == "hang":
            await self.over.wait()
            return False
        status, cloud, body = {
            "answer": (200, CLOUD, answer(frame)),
            "wrong": (200, CLOUD, answer(frame, class_id=RIGHT + 1)),
            "another's": (200, CLOUD, answer(frame, frame_id=1)),
            "nonsense": (200, CLOUD, b"<html>"),
        }.get(mood) or (mood[0], CLOUD if mood[1] else b"", b"{}")
        writer.write(b"HTTP/1.1 %d X\r\n%sContent-Length: %d\r\n\r\n" % (status, cloud, len(body)) + body)
        return True


@pytest.fixture
def play(server):
    """Runs an edge whose cloud has these moods; the edge and the cloud."""

    def play(*moods, frames=1):
        async def run():
            door = Door(*moods)
            cloud = server(door.answer)
            await cloud.start()
            edge = LightEdge(3, SESSION, urlsplit(f"http://127.0.0.1:{cloud.port}"), [picture()], DEADLINE_S)
            now = asyncio.get_running_loop().time()
            await edge.run(now + 0.001 * each for each in range(frames))
            edge.close()
            door.over.set()
            await cloud.stop()
            return edge, door

        return virtual_time.run(run())

    return play


def test_each_frame_has_an_id_of_its_own_and_one_record_with_the_clouds_answer(play):
    edge, door = play(frames=5)
    assert edge.made == 5
    assert sorted(each.frame_id for each in edge.records) == [SESSION << 32 | number for number in range(5)]
    assert {(each.answered_by, each.class_id, each.sends) for each in edge.records} == {("cloud", RIGHT, 1)}
    assert {each.cloud for each in edge.records} == {"0123456789abcdef"}
    sent = [unpack(each) for each in door.frames]
    assert sorted(each.frame_id for each in sent) == sorted(each.frame_id for each in edge.records)
    assert all(0 < each.deadline_ms <= 1e3 * DEADLINE_S for each in sent)


@pytest.mark.parametrize("mood", ["cut", (502, False), (503, False)])
def test_a_broken_connection_and_a_proxys_refusal_are_repeated_once(play, mood):
    edge, door = play(mood)
    (record,) = edge.records
    assert (record.answered_by, record.sends) == ("cloud", 2)
    assert door.frames[0] == door.frames[1], "the repeat is another frame"
    edge, door = play(mood, mood)
    (record,) = edge.records
    assert (record.answered_by, record.sends, len(door.frames)) == ("edge", 2, 2)
    assert record.fallback == ("busy" if mood == (503, False) else "unreachable")


@pytest.mark.parametrize(
    ("mood", "reason"),
    [
        ((503, True), "busy"),
        ((504, True), "late"),
        ((504, False), "late"),
        ((424, True), "refused"),
        ((400, True), "refused"),
    ],
)
def test_a_clouds_own_refusal_is_not_repeated(play, mood, reason):
    (record,) = play(mood)[0].records
    assert (record.answered_by, record.sends, record.fallback) == ("edge", 1, reason)


def test_an_answer_that_does_not_come_leaves_the_frame_to_the_edge_within_its_deadline(play):
    (record,) = play("hang")[0].records
    assert (record.answered_by, record.fallback, record.class_id) == ("edge", "late", RIGHT)
    assert record.latency_s < DEADLINE_S


def test_a_wrong_class_is_recorded_as_it_came_and_another_frames_answer_is_not_believed(play):
    (record,) = play("wrong")[0].records
    assert (record.answered_by, record.class_id, record.expected) == ("cloud", RIGHT + 1, RIGHT)
    for mood in ("another's", "nonsense"):
        (record,) = play(mood)[0].records
        assert (record.answered_by, record.fallback) == ("edge", "refused"), mood
