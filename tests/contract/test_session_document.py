"""shared/wire/SESSION.md says what shared/wire/session does: its tables and limits against the code."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from kits.pages import tables_in
from kits.session_reader import Message
from kits.talking import CLOUD_ID, FINGERPRINT, SESSION, WELCOME, frame, pair

from shared import limits
from shared.errors import UnavailableError
from shared.tasks.base import MAX_SHORT
from shared.tasks.detection.boxes import Box, Boxes
from shared.tasks.detection.packed import packed_boxes
from shared.wire.frame import EncodedTensor
from shared.wire.http import ANSWER_STEPS
from shared.wire.session import answers, frames, kinds, varint
from shared.wire.session.cloud import CloudConnection
from shared.wire.session.edge import EdgeConnection
from shared.wire.session.fields import CRC_BYTES
from shared.wire.session.kinds import Kind
from shared.wire.session.messages import NUMBERS, SUBPROTOCOL, Answered, Hello

PAGE = (Path(__file__).resolve().parents[2] / "shared" / "wire" / "SESSION.md").read_text(encoding="utf-8")
TEXT = " ".join(PAGE.split())
FLAGS = {
    (Kind.HELLO, "goes on"): kinds.GOES_ON,
    (Kind.FRAME, "timings"): kinds.TIMINGS,
    (Kind.FRAME, "deadline"): kinds.DEADLINE,
    (Kind.WELCOME, "goes on"): kinds.GOES_ON,
    (Kind.ANSWER, "timings"): kinds.TIMINGS,
    (Kind.ANSWER, "JSON"): kinds.JSON,
    (Kind.REFUSAL, "accepted"): kinds.ACCEPTED,
    (Kind.REFUSAL, "retry after"): kinds.RETRY_AFTER,
}


def tables(heading: str) -> list[list[list[str]]]:
    """The cells of every table right below a heading, each without its own heading row."""
    section = re.split(r"\n#", PAGE.split(f"# {heading}\n")[1])[0]
    return tables_in(section)


def walked(message: bytes, before: int = 0) -> list[tuple[str, object]]:
    """Each field that the table of this message's kind lists, in its order, as its type says."""
    flags = dict.fromkeys(Kind, 0xF0)
    reader, found = Message(message, before, flags), []
    (rows,) = tables(Kind(reader.kind).name)
    for name, kind, condition, _ in rows:
        if condition and not reader.flags & FLAGS[Kind(reader.kind), condition]:
            continue
        count = re.fullmatch(r"(\d+) bytes", kind)
        value: object
        if count:
            value = reader.bytes(int(count[1])).hex()
        elif kind == "varint":
            times = {"shape": 3, "payload lengths": 1, "times": 2}.get(name, 1)
            value = [reader.varint(0, 2**64 - 1) for _ in range(times)]
        elif name == "prefix":
            value = reader.bytes(reader.varint(0, 4096))
        elif name == "parameters":
            value = b""
        else:
            value = getattr(reader, kind)(*([4096] if kind == "text" else []))
        found.append((name, value))
    assert reader.left == b""
    return found


def test_the_kinds_and_flags_are_the_codes() -> None:
    (rows,) = tables("Messages")[:1]
    assert {(int(row[0]), row[1]) for row in rows} == {(kind.value, kind.name) for kind in Kind}
    assert {row[1]: row[2] for row in rows} == {kind.name: "edge" if kind < 8 else "cloud" for kind in Kind}
    found = {
        (Kind[row[1]], name): int(value, 16)
        for row in rows
        for value, name in re.findall(r"(0x\d+) ([a-zJSON ]+)", row[3])
    }
    assert found == FLAGS


def test_the_edges_fields_are_in_the_order_in_which_the_page_lists_them() -> None:
    edge = EdgeConnection()
    hello = edge.hello(Hello(FINGERPRINT, "top=3", 300, SESSION, (5, 7)))
    assert walked(hello) == [
        ("fingerprint", FINGERPRINT.hex()), ("deadline", [300]), ("question", "top=3"), ("session", SESSION.hex()), ("unanswered", [5, 7]),
    ]  # fmt: skip
    assert [name for name, _ in walked(EdgeConnection().hello(Hello(FINGERPRINT, "", 0)))] == [
        "fingerprint", "deadline", "question",
    ]  # fmt: skip
    cloud = CloudConnection(streams=4, message_bytes=1000)
    cloud.received(hello)
    edge.received(cloud.welcome(replace(WELCOME, session=SESSION[::-1])))
    before = edge._crc
    tensors = (EncodedTensor(9, (1, 2, 3), b"pp", b"AB"),)
    sent = frame(0, tensors=tensors, frame_id=5, capture_time_ns=6_000_000, deadline_ms=7)
    _, (told, message) = edge.frame(sent, 3, timings=False, number=4)
    assert walked(told, before) == [
        ("stream", [3]), ("split point", "layer3"), ("tensors", [1]), ("codec", [9]), ("rank", [3]), ("shape", [1, 2, 3]), ("more", [0]),
        ("prefix", b"pp"),
    ]  # fmt: skip
    before = int.from_bytes(told[-4:], "little")
    rows = [row for row in tables("FRAME")[0] if row[0] != "payload lengths"]
    assert [row[0] for row in rows][:5] == ["number", "stream", "frame id", "capture time", "deadline"]
    assert message[:-4] == bytes((0x23, 8, 3, 10, 12, 7)) + b"AB"
    before = edge._crc
    assert walked(edge.cancel([3]), before) == [("cancelled", [3])]


def test_the_clouds_fields_are_in_the_order_in_which_the_page_lists_them() -> None:
    _, cloud = pair()
    assert walked(cloud.welcome(WELCOME)) == [
        ("session", SESSION.hex()), ("cloud", CLOUD_ID), ("frames", [8]), ("streams", [4]), ("message bytes", [1 << 20]),
    ]  # fmt: skip
    assert walked(
        cloud.answer(Answered(258, b"body", is_json=False, steps_ms={"decode": 0.3, "top": 2.0}))
    ) == [
        ("number", "0201"), ("steps", [2 + 16]), ("times", [3, 20]), ("answer", b"body"),
    ]  # fmt: skip
    assert walked(cloud.refusal(3, UnavailableError("no", accepted=[1]))) == [
        ("number", "0300"), ("status", [103]), ("reason", "unavailable"), ("error", "no"), ("accepted", "[1]"), ("retry after", [1]),
    ]  # fmt: skip
    assert walked(cloud.keyframe(3)) == [("stream", [3])]
    assert walked(cloud.go_away("drain")) == [("reason", "drain")]


@pytest.mark.parametrize(("task", "fields"), [("classify", 2), ("detect", 6)])
def test_a_binary_answer_has_the_fields_of_its_table(task: str, fields: int) -> None:
    rows = tables("Binary answers")[("classify", "detect").index(task)]
    assert [row[0] for row in rows] == ["2"] * fields
    if task == "detect":
        box = Box(1, "", 2 / MAX_SHORT, (0.03, 0.04, 0.05, 0.06))
        body = packed_boxes(Boxes((box,), (9, 9), 7), (9, 9))
        assert body == b"".join(number.to_bytes(2, "little") for number in range(1, 7)) + b"\7\0\0\0"


def test_a_number_in_the_text_is_the_codes() -> None:
    for sentence in (
        f"`{SUBPROTOCOL}`",
        f"1 to {varint.MAX_BYTES} | unsigned LEB128",
        f"and below 2^{varint.BITS}",
        f"at most {limits.MAX_UNDER_WAY}; then for each n a varint (n - p - 1) mod {NUMBERS}",
        f"The **CRC** is the last {CRC_BYTES} bytes",
        f"at most {limits.MAX_QUESTION_BYTES} bytes: `top=5`",
        f"| split point | text | | at most {limits.MAX_SPLIT_POINT_BYTES} bytes |",
        f"their number, 1 to {limits.MAX_TENSORS};",
        f"number of dimensions, 1 to {limits.MAX_RANK} |",
        f"each 1 to {limits.MAX_DIMENSION} |",
        f"at most {limits.MAX_ELEMENTS} elements, parameters (prefix and more) of at most {limits.MAX_PARAMS_BYTES} bytes",
        f"at most {limits.MAX_PAYLOAD_BYTES} bytes together",
        f"at once, 1 to {limits.MAX_UNDER_WAY} |",
        f"there may be, 1 to {limits.MAX_STREAMS} |",
        f"at most {limits.MAX_REPLY_BYTES} bytes: JSON if the flag is set",
        f"| reason | text | | at most {limits.MAX_WORD_BYTES} bytes",
        f"for a human, at most {limits.MAX_REFUSAL_BYTES} bytes",
        f"JSON, at most {limits.MAX_REFUSAL_BYTES} bytes",
        f"nearest whole number to p x {MAX_SHORT}",
        f"s = min(100, floor({MAX_SHORT} / max(W, H)))",
    ):
        assert sentence in TEXT, sentence
    assert frames.MAX_DEADLINE_MS + 1 == answers.MAX_STEP == answers.MAX_RETRY_AFTER_S == 1 << 32


def test_the_steps_of_an_answer_are_the_clouds() -> None:
    (row,) = (row for row in tables("ANSWER")[0] if row[0] == "steps")
    assert re.findall(r"(\d+) `(\w+)`", row[3]) == [
        (str(1 << place), name) for place, name in enumerate(ANSWER_STEPS)
    ]
