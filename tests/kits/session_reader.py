"""A second reader of a session's messages, written from shared/wire/SESSION.md: nothing of the project is imported.

Short rather than fast. Where it and the project's state machines disagree, either one of them is wrong or the page is incomplete.
"""

from __future__ import annotations

import json
import zlib
from math import prod

STEPS = ("receive", "decode", "queue", "tail", "top")


class Message:
    """The fields of one message; AssertionError for bytes that the page forbids."""

    def __init__(self, data: bytes, before: int, flags: dict[int, int]) -> None:
        self.crc = int.from_bytes(data[-4:], "little")
        assert len(data) >= 5 and zlib.crc32(data[:-4], before) == self.crc
        self.kind, self.flags, self.left = data[0] & 15, data[0] & 0xF0, data[1:-4]
        assert self.kind in flags and not self.flags & ~flags[self.kind]

    def bytes(self, count: int) -> bytes:
        assert count <= len(self.left)
        found, self.left = self.left[:count], self.left[count:]
        return found

    def varint(self, low: int, high: int) -> int:
        length = next(place for place, byte in enumerate(self.left) if byte < 128) + 1
        data = self.bytes(length)
        number = sum((byte & 127) << 7 * place for place, byte in enumerate(data))
        assert length <= 10 and (length == 1 or data[-1]) and low <= number <= high < 2**64
        return number

    def difference(self) -> int:
        number = self.varint(0, 2**64 - 1)
        return -(number + 1) // 2 if number % 2 else number // 2

    def text(self, most: int) -> str:
        return self.bytes(self.varint(0, most)).decode()

    def numbers(self) -> list[int]:
        found, last = [], -1
        for _ in range(self.varint(0, 1024)):
            last = (last + 1 + self.varint(0, 65535)) % 65536
            found.append(last)
        assert len(set(found)) == len(found)
        return found

    def rest(self) -> bytes:
        return self.bytes(len(self.left))


class EdgesMessages:
    """Reads what an edge says over one connection."""

    def __init__(self) -> None:
        self.crc, self.number, self.deadline, self.streams = 0, 65535, None, {}

    def read(self, data: bytes) -> dict:
        message = Message(data, self.crc, {1: 0x10, 2: 0, 3: 0x30, 4: 0, 5: 0})
        self.crc = message.crc
        assert (message.kind == 1) == (self.deadline is None)
        names = {1: "hello", 2: "stream", 3: "frame", 4: "cancel", 5: "bye"}
        found = getattr(self, names[message.kind])(message)
        assert not message.left
        return {"message": names[message.kind], **found}

    def hello(self, message: Message) -> dict:
        found = {"fingerprint": message.bytes(8).hex(), "deadline_ms": message.varint(0, 2**32 - 1)}
        self.deadline = found["deadline_ms"]
        found["question"] = message.text(256)
        if message.flags & 0x10:
            found |= {"session": message.bytes(16).hex(), "unanswered": message.numbers()}
        return found

    def stream(self, message: Message) -> dict:
        number, point = message.varint(0, 63), message.text(64)
        tensors = []
        for _ in range(message.varint(1, 6)):
            codec, rank = message.varint(0, 65535), message.varint(1, 4)
            shape = [message.varint(1, 65535) for _ in range(rank)]
            more, prefix = message.varint(0, 4096), message.varint(0, 4096)
            tensors.append(
                {"codec": codec, "shape": shape, "more": more, "prefix": message.bytes(prefix).hex()}
            )
        assert sum(prod(each["shape"]) for each in tensors) <= 16777216
        assert sum(each["more"] + len(each["prefix"]) // 2 for each in tensors) <= 4096
        self.streams[number] = {"id": 0, "ms": 0} | self.streams.get(number, {}) | {"tensors": tensors}
        return {"stream": number, "split_point": point, "tensors": tensors}

    def frame(self, message: Message) -> dict:
        step = message.difference()
        assert -32768 <= step <= 32767
        self.number = (self.number + 1 + step) % 65536
        number = message.varint(0, 63)
        stream = self.streams[number]
        stream["id"] = (stream["id"] + message.difference()) % 2**64
        stream["ms"] += message.difference()
        deadline = message.varint(0, 2**32 - 1) if message.flags & 0x20 else self.deadline
        assert 0 <= stream["ms"] * 10**6 < 2**64 and not (message.flags & 0x20 and deadline == self.deadline)
        lengths = [message.varint(0, 67108864) for _ in stream["tensors"][1:]]
        params = [each["prefix"] + message.bytes(each["more"]).hex() for each in stream["tensors"]]
        payloads = [message.bytes(length).hex() for length in lengths] + [message.rest().hex()]
        return {"number": self.number, "stream": number, "frame_id": stream["id"], "capture_ms": stream["ms"], "deadline_ms": deadline,
                "timings": bool(message.flags & 0x10), "params": params, "payloads": payloads}  # fmt: skip

    def cancel(self, message: Message) -> dict:
        return {"numbers": message.numbers()}

    def bye(self, message: Message) -> dict:
        del message
        return {}


def read_clouds(data: bytes) -> dict:
    """What a cloud says in one message, whatever came before."""
    message = Message(data, 0, {8: 0x10, 9: 0x30, 10: 0x30, 11: 0, 12: 0})
    names = {8: "welcome", 9: "answer", 10: "refusal", 11: "keyframe", 12: "go_away"}
    found = globals()[f"_{names[message.kind]}"](message)
    assert not message.left
    return {"message": names[message.kind], **found}


def _welcome(message: Message) -> dict:
    found = {"session": message.bytes(16).hex(), "cloud": message.bytes(8).hex(), "frames": message.varint(1, 1024),
             "streams": message.varint(1, 64), "message_bytes": message.varint(1, 2**32 - 1)}  # fmt: skip
    return found | ({"received": message.numbers()} if message.flags else {})


def _answer(message: Message) -> dict:
    found = {"number": int.from_bytes(message.bytes(2), "little")}
    if message.flags & 0x10:
        present = message.varint(1, 31)
        found["steps_ms"] = {
            name: message.varint(0, 2**32) / 10 for place, name in enumerate(STEPS) if present >> place & 1
        }
    body = message.rest()
    return found | ({"json": json.loads(body)} if message.flags & 0x20 else {"binary": body.hex()})


def _refusal(message: Message) -> dict:
    found = {"number": int.from_bytes(message.bytes(2), "little"), "status": 400 + message.varint(0, 199)}
    found |= {"reason": message.text(64), "error": message.text(4096)}
    if message.flags & 0x10:
        found["accepted"] = json.loads(message.text(4096))
    if message.flags & 0x20:
        found["retry_after_s"] = message.varint(0, 2**32)
    return found


def _keyframe(message: Message) -> dict:
    return {"stream": message.varint(0, 63)}


def _go_away(message: Message) -> dict:
    return {"reason": message.text(64)}


def classes(body: bytes) -> list[tuple[int, float]]:
    """The answer of `classify` in binary: class ids and probabilities."""
    fields = [int.from_bytes(body[at : at + 2], "little") for at in range(0, len(body), 2)]
    return [
        (number, round(score / 65535, 6)) for number, score in zip(fields[::2], fields[1::2], strict=True)
    ]


def boxes(body: bytes, width: int, height: int) -> list[tuple]:
    """The answer of `detect` in binary: class id, score, x0, y0, x1, y1 of each box."""
    scale = min(100, 65535 // max(width, height))
    whole = len(body) // 12 * 12
    fields = [int.from_bytes(body[at : at + 2], "little") for at in range(0, whole, 2)]
    rows = [fields[at : at + 6] for at in range(0, len(fields), 6)]
    return [
        (row[0], round(row[1] / 65535, 6), *(round(place / scale, 2) for place in row[2:])) for row in rows
    ]
