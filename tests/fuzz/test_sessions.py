"""Messages of a session, damaged, to both sides: a valid message or WireError, and what is read is what was sent (SESSION.md, rule 2)."""

from __future__ import annotations

import json
import zlib
from typing import TYPE_CHECKING

import numpy as np
import pytest
from kits.common import ROOT
from kits.conversations import CONVERSATIONS
from kits.detecting import detector
from kits.fuzz.campaign import try_out
from kits.fuzz.mutations import damaged
from kits.session_reader import EdgesMessages, read_clouds
from kits.talking import HELLO, WELCOME, pair
from kits.transcripts import cloud_says, read_transcript

from shared.errors import WireError
from shared.tasks.classify import Classify
from shared.tasks.segmentation.class_map import class_map
from shared.tasks.segmentation.packed import packed_map, unpacked_map
from shared.wire import frame as wire
from shared.wire.session.cloud import CloudConnection, FrameError
from shared.wire.session.edge import EdgeConnection
from shared.wire.session.messages import Answered, Arrived, Hello, Refused, Welcome

if TYPE_CHECKING:
    import random

GOLDEN = ROOT / "tests" / "golden" / "session"
TALKS = [lines for name in CONVERSATIONS for lines in read_transcript(GOLDEN / f"{name}.txt")]
OF_EDGES = [[line.data for line in lines if line.who == "edge"] for lines in TALKS]
OF_CLOUDS = [line.data for lines in TALKS for line in lines if line.who == "cloud"]
MESSAGE_BYTES = 4096
LABELS = tuple(map(str, range(300)))


def sealed(body: bytes, before: int = 0) -> bytes:
    return body + zlib.crc32(body, before).to_bytes(4, "little")


def as_whole(messages: list[bytes]) -> bytes:
    return json.dumps([message.hex() for message in messages]).encode()


def test_what_an_edge_says():
    """One message of a conversation is damaged and those after it follow, mostly with right CRCs."""

    def make(chance: random.Random) -> bytes:
        messages = list(chance.choice(OF_EDGES))
        place = chance.randrange(len(messages))
        others = chance.choice(OF_EDGES)
        messages[place] = damaged(chance, messages[place][:-4], others) + messages[place][-4:]
        if chance.random() < 0.1:
            messages.insert(place, chance.choice(others))
        if chance.random() < 0.9:
            before = 0
            for number, message in enumerate(messages):
                messages[number] = sealed(message[:-4], before)
                before = int.from_bytes(messages[number][-4:], "little")
        return as_whole(messages)

    def check(data: bytes) -> object:
        cloud, reader = CloudConnection(streams=4, message_bytes=MESSAGE_BYTES), EdgesMessages()
        cloud.welcome(WELCOME)
        ended, taken = False, 0
        for message in map(bytes.fromhex, json.loads(data)):
            try:
                found = cloud.received(message)
            except FrameError as error:
                assert not ended
                assert 0 <= error.number < 1 << 16
                with pytest.raises((AssertionError, StopIteration)):
                    reader.read(message)
            except WireError:
                ended = True
            else:
                assert not ended, "nothing that comes after an error is understood"
                said = reader.read(message)
                taken += 1
                if isinstance(found, Arrived):
                    assert (found.number, found.frame.frame_id) == (said["number"], said["frame_id"])
                    assert wire.unpack(wire.pack(found.frame)).tensors == found.frame.tensors
            assert len(cloud._streams) <= 4
        return taken > 2 or None

    assert try_out("edges of sessions", 10_000, make, check, seconds=4) > 0.1


def test_what_a_cloud_says():
    hello = Hello(HELLO.fingerprint, "top=5", 800, bytes(range(16)), (65535, 0, 1))

    def make(chance: random.Random) -> bytes:
        data = damaged(chance, chance.choice(OF_CLOUDS)[:-4], OF_CLOUDS)
        return sealed(data) if chance.random() < 0.95 else data

    def check(data: bytes) -> object:
        taken = None
        for edge in (pair()[0], EdgeConnection()):
            if edge._hello is None:
                edge.hello(hello)
            try:
                found = edge.received(data)
            except WireError:
                continue
            taken = found
            if not (isinstance(found, Answered) and found.is_json):  # read by the answer's own reader
                assert (read_clouds(data)["message"] == "welcome") == isinstance(found, Welcome)
            if not isinstance(found, Refused):  # whose JSON may have spaces
                cloud = CloudConnection(streams=4, message_bytes=MESSAGE_BYTES)
                assert cloud_says(cloud, found) == data, "another cloud could mean the same by other bytes"
        return taken

    assert try_out("clouds of sessions", 20_000, make, check, seconds=2) > 0.1


def test_binary_maps():
    chance = np.random.default_rng(5)
    seeds = [
        packed_map(
            class_map(chance.integers(0, classes, (height, width)), LABELS, (64, 48)), LABELS, (64, 48)
        )
        for classes, height, width in ((1, 3, 4), (3, 6, 7), (200, 9, 2), (300, 230, 230))
    ]

    def make(chance: random.Random) -> bytes:
        seed = chance.choice(seeds[:3] if chance.random() < 0.98 else seeds)
        return damaged(chance, seed, seeds[:3])

    def check(data: bytes) -> object:
        try:
            answer = unpacked_map(data, LABELS, (64, 48))
        except ValueError:
            return None
        assert packed_map(answer, LABELS, (64, 48)) == data
        return answer

    assert try_out("binary maps", 10_000, make, check, seconds=2) > 0.001


@pytest.mark.parametrize(
    "task", [Classify([str(each) for each in range(1000)], 9), detector("scores")], ids=lambda task: task.name
)
def test_binary_answers(task):
    def make(chance: random.Random) -> bytes:
        row = 4 if task.name == "classify" else 12
        data = b"".join(
            chance.randrange(3).to_bytes(2, "little")
            + chance.randrange(4).to_bytes(2, "big")
            + chance.randbytes(row - 4)
            for _ in range(chance.randrange(3))
        )
        return damaged(chance, data) if chance.random() < 0.5 else data

    def check(data: bytes) -> object:
        try:
            answer = task.unpack(data)
        except ValueError:
            return None
        assert task.pack(answer) == data
        assert answer.headline() is not None
        return answer

    assert try_out(f"binary answers of {task.name}", 10_000, make, check, seconds=1) > 0.01
