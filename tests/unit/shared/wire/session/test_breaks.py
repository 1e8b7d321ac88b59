"""Two sides that follow SESSION.md, over links that break anywhere: every frame is answered once, rightly, by the cloud or by the edge."""

from __future__ import annotations

import random
import zlib
from collections import deque
from dataclasses import replace

import pytest
from kits.talking import CLOUD_ID, HELLO, frame

from shared.errors import StateMissingError
from shared.wire.session.cloud import CloudConnection
from shared.wire.session.edge import EdgeConnection
from shared.wire.session.messages import Answered, Arrived, Hello, KeyframeWanted, Refused, Welcome

UNDER_WAY = 6
NONE = bytes(4)


def state_after(payload: bytes, before: bytes) -> bytes:
    """The hash of a stream's state after a frame."""
    return (zlib.crc32(payload, int.from_bytes(before, "little")) or 1).to_bytes(4, "little")


class Cloud:
    """Answers a frame with the state after it, as only a right state gives."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._sessions: dict[bytes, dict[int, Answered | StateMissingError]] = {}
        self._states: dict[int, bytes] = {}

    def connect(self) -> None:
        self.talk = CloudConnection(streams=2, message_bytes=4096)
        self._states = {}

    def forget(self) -> None:
        """It was restarted."""
        self._sessions.clear()

    def hears(self, message: bytes) -> list[bytes]:
        said = self.talk.received(message)
        if isinstance(said, Hello):
            return self._welcome(said)
        return self._answers(said) if isinstance(said, Arrived) else []

    def _welcome(self, hello: Hello) -> list[bytes]:
        known = self._sessions.get(hello.session)
        name = hello.session if known is not None else self._chance.randbytes(16)
        self._kept = {number: said for number, said in (known or {}).items() if number in hello.unanswered}
        self._sessions[name] = self._kept
        received = tuple(number for number in hello.unanswered if number in self._kept)
        welcome = Welcome(name, CLOUD_ID, UNDER_WAY, 2, 4096, known is not None, received)
        return [self.talk.welcome(welcome), *(self._say(number) for number in received)]

    def _answers(self, arrived: Arrived) -> list[bytes]:
        needed, state = arrived.frame.params[-4:], self._states.get(arrived.stream, NONE)
        if needed not in (NONE, state):
            self._states.pop(arrived.stream, None)
            self._kept[arrived.number] = StateMissingError("another state")
            return [self._say(arrived.number), self.talk.keyframe(arrived.stream)]
        after = state_after(bytes(arrived.frame.payload), needed)
        self._states[arrived.stream] = after
        self._kept[arrived.number] = Answered(arrived.number, after, is_json=False)
        return [self._say(arrived.number)]

    def _say(self, number: int) -> bytes:
        said = self._kept[number]
        return self.talk.answer(said) if isinstance(said, Answered) else self.talk.refusal(number, said)


class Edge:
    """Sends frames of two streams, whose right answers it knows."""

    def __init__(self) -> None:
        self._session, self._next, self._taken = b"", 65_530, 0
        self.waiting: dict[int, tuple[int, int, bytes, bytes]] = {}
        self.outcomes: dict[int, list[str]] = {}
        self._states = [NONE, NONE]

    def connect(self) -> bytes:
        self._talk, self._states, self._ready = EdgeConnection(self._next), [NONE, NONE], False
        unanswered = tuple(self.waiting) if self._session else ()
        self._hello = replace(HELLO, session=self._session, unanswered=unanswered)
        return self._talk.hello(self._hello)

    def takes(self, payload: bytes, stream: int) -> list[bytes]:
        """Another frame, if the session has room."""
        if len(self.waiting) >= UNDER_WAY or not self._ready:
            return []
        self._taken += 1
        needed = self._states[stream]
        self._states[stream] = state_after(payload, needed)
        return self._send((self._taken, stream, payload, needed))

    def _send(self, what: tuple[int, int, bytes, bytes], number: int | None = None) -> list[bytes]:
        frame_id, stream, payload, needed = what
        sent = frame(0, payload, state=needed, frame_id=frame_id)
        number, messages = self._talk.frame(sent, stream, timings=False, number=number)
        self._next = self._talk.next_number
        self.waiting[number] = what
        return messages

    def hears(self, message: bytes) -> list[bytes]:
        said = self._talk.received(message)
        if isinstance(said, Welcome):
            return self._welcomed(said)
        if isinstance(said, KeyframeWanted):
            self._states[said.stream] = NONE
        elif isinstance(said, Answered):
            frame_id, _, payload, needed = self.waiting.pop(said.number)
            right = bytes(said.body) == state_after(payload, needed)
            self.outcomes.setdefault(frame_id, []).append("right" if right else "wrong")
        elif isinstance(said, Refused):
            self._answer_itself(said.number)
        return []

    def _welcomed(self, welcome: Welcome) -> list[bytes]:
        self._session, self._ready = welcome.session, True
        messages: list[bytes] = []
        for number in [each for each in self.waiting if each not in welcome.received]:
            what = self.waiting.pop(number)
            if what[3] == NONE:  # it needs no other, and nothing of its stream was sent yet
                messages += self._send(what, number if welcome.resumed else None)
            else:
                self.waiting[number] = what
                self._answer_itself(number)
        return messages

    def _answer_itself(self, number: int) -> None:
        frame_id, *_ = self.waiting.pop(number)
        self.outcomes.setdefault(frame_id, []).append("edge")

    @property
    def taken(self) -> int:
        return self._taken


def played(chance: random.Random, turns: int, breaking: float) -> Edge:
    """A conversation over a link that loses what is on it now and then; after the last break all of it arrives."""
    edge, cloud = Edge(), Cloud(chance)
    up: deque[bytes] = deque()
    down: deque[bytes] = deque()

    def connect() -> None:
        up.clear()
        down.clear()
        cloud.connect()
        up.append(edge.connect())

    connect()
    for turn in range(turns + 100):
        if turn < turns and chance.random() < breaking:
            if chance.random() < 0.2:
                cloud.forget()
            connect()
        if turn < turns and chance.random() < 0.6:
            up += edge.takes(chance.randbytes(4), chance.randrange(2))
        for _ in range(chance.randrange(3) if turn < turns else 9):
            if up and chance.random() < 0.7:
                down += cloud.hears(up.popleft())
            if down:
                up += edge.hears(down.popleft())
    return edge


@pytest.mark.parametrize("breaking", [0.0, 0.02, 0.2])
def test_every_frame_is_answered_once_and_rightly(breaking: float) -> None:
    by_cloud = 0
    for seed in range(60):
        edge = played(random.Random(f"{seed} {breaking}"), 200, breaking)
        assert not edge.waiting
        assert sorted(edge.outcomes) == list(range(1, edge.taken + 1)), f"seed {seed}"
        outcomes = list(edge.outcomes.values())
        assert all(each in (["right"], ["edge"]) for each in outcomes), f"seed {seed}"
        by_cloud += outcomes.count(["right"])
        if not breaking:
            assert ["edge"] not in outcomes
    assert by_cloud > 60 * 5
