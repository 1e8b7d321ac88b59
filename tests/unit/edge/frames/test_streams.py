"""Frames of streams on their way: nothing is encoded that the link cannot carry, and what is lost is followed by a keyframe."""

from __future__ import annotations

import asyncio

import pytest
from kits.chained import add_chained
from kits.edge import FakeSource, FakeUplink, Run, pictures
from kits.tiny import plan_of, tiny_model

from edge.metrics import EdgeMetrics
from edge.uplink.session.room import Door
from shared.errors import StateMissingError, UplinkError
from shared.wire import frame as wire


class FakeSessions:
    def __init__(self):
        self.now = object()

    def place(self, _query):
        return self.now


class FakeFlow:
    """`full` are the numbers of the questions that are answered with no."""

    def __init__(self, full):
        self.full = full
        self.asked = -1
        self.reserved = 0
        self.sizes = []

    def has_room(self, size, _deadline_s, _others, *, builds):
        assert builds, "its frames need each other"
        self.sizes.append(size)
        self.asked += 1
        return self.asked not in self.full

    def reserve(self, size, _stream):
        self.reserved += size
        return Reserved(self, size)


class Reserved:
    def __init__(self, flow, size):
        self.flow, self.size = flow, size

    def written(self):
        """Nothing is sent here."""

    def release(self):
        self.flow.reserved -= self.size
        self.size = 0


class StreamingUplink(FakeUplink):
    """Keeps the streams as a cloud does."""

    def __init__(self, codec, outcomes=(), *, full=(), breaks=()):
        super().__init__(outcomes=outcomes)
        self.metrics = EdgeMetrics().session
        self.sessions, self.flow = FakeSessions(), FakeFlow(full)
        self.room = Door(self.sessions, self.flow, self.metrics, "")
        self.decoder = codec.for_stream()
        self.breaks = breaks
        self.keyframes = []

    async def ask(self, data, profile=None, ticket=None):
        number = wire.unpack(data).frame_id & 0xFFFFFFFF
        self.keyframes.append(ticket.part.is_keyframe)
        if number in self.breaks:
            self.sessions.now = object()
            ticket.part.forget("lost")
            raise UplinkError("state", "it broke")
        return await super().ask(data, profile)

    def _decode(self, frame):
        try:
            return (self.decoder.decode(frame.params, frame.payload, frame.shape),)
        except StateMissingError as error:
            raise UplinkError("state", str(error)) from None


@pytest.fixture
def codec(monkeypatch):
    return add_chained(monkeypatch)


def run_of(uplink, count, *, live=False, **settings):
    model = tiny_model()
    settings |= {"queue_size": count} if live else {}  # none is dropped
    source, plan = FakeSource(pictures(count), live=live), plan_of(model, "relu", "chained")
    run = Run(source, uplink, model=model, plan=plan, **settings)
    records = run.to_end()
    assert len(records) == count
    assert uplink.flow.reserved == 0
    return run


def plain(count):
    """The answers of the same pictures without any codec of streams."""
    return [each.answer for each in Run(FakeSource(pictures(count)), FakeUplink(), codec="float32").to_end()]


def test_one_keyframe_and_the_same_answers(codec):
    uplink = StreamingUplink(codec)
    run = run_of(uplink, 8, in_flight=1)
    assert uplink.keyframes == [True] + [False] * 7
    assert run.answered_by() == ["cloud"] * 8
    assert [each.answer for each in run.records] == plain(8)


def test_a_frame_without_room_moves_no_state(codec):
    uplink = StreamingUplink(codec, full=(3, 4))
    run = run_of(uplink, 8, live=True, in_flight=1)
    assert [each.fallback for each in run.records] == [None] * 3 + ["late"] * 2 + [None] * 3
    assert uplink.keyframes == [True] + [False] * 5  # those after it need the one before it
    assert run.count("fallbacks_total", reason="late") == 2
    assert uplink.metrics.withheld.labels().value() == 2
    assert [each.answer for each in run.records] == plain(8)


def test_a_keyframe_tells_nothing_of_the_size_of_the_frames_after_it(codec):
    uplink = StreamingUplink(codec)
    run_of(uplink, 4, live=True, in_flight=1)
    first, after_keyframe, *others = uplink.flow.sizes
    assert (first, after_keyframe) == (0, 0)
    assert len(others) == 2
    assert all(others)


def test_another_place_begins_with_a_keyframe(codec):
    uplink = StreamingUplink(codec, breaks=(3,))
    run = run_of(uplink, 12, in_flight=1)
    lost = [each.fallback for each in run.records]
    assert lost[3] == "state"
    assert set(lost) <= {None, "state"}
    assert uplink.keyframes.count(True) == 2  # and no more, however many were encoded before that was known
    assert [each.answer for each in run.records] == plain(12)


def test_without_a_session_every_frame_is_a_keyframe(codec):
    uplink = StreamingUplink(codec)
    uplink.sessions.now = None
    run = run_of(uplink, 5)
    assert uplink.keyframes == [True] * 5
    assert run.answered_by() == ["cloud"] * 5
    assert uplink.metrics.keyframes.labels(reason="alone").value() == 5


def test_a_trial_that_is_not_sent_is_followed_by_a_keyframe(codec):
    uplink = StreamingUplink(codec, outcomes={0: asyncio.Event()})
    uplink.circuit.open("the test says so")
    uplink.circuit.probe_answered(well=True)
    run = run_of(uplink, 4)
    assert run.answered_by() == ["edge"] * 4
    assert uplink.keyframes == [True]


def test_frames_of_a_file_wait_rather_than_being_withheld(codec):
    uplink = StreamingUplink(codec, full=range(100))
    run = run_of(uplink, 6, in_flight=2)
    assert run.answered_by() == ["cloud"] * 6
    assert uplink.keyframes == [True] + [False] * 5
