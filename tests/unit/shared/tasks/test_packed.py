"""Answers in binary: what was packed is what is unpacked, up to the rounding that SESSION.md states."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kits.naming import naming

from shared.tasks.base import packed_score, score_of
from shared.tasks.classify import Classes, Classify
from shared.tasks.detection.boxes import Boxes
from shared.tasks.raw import RAW

LABELS = tuple(f"class {number}" for number in range(1000))
STEP = 1 / 65535


def rows(*pairs: tuple[int, int]) -> bytes:
    return b"".join(struct.pack("<HH", *pair) for pair in pairs)


@settings(deadline=None)
@given(st.lists(st.floats(-30, 30, width=32), min_size=1, max_size=1000), st.integers(1, 1000))
def test_an_answer_of_classes_comes_back(logits: list[float], top: int) -> None:
    task = Classify(LABELS[: len(logits)], top)
    sent = task.answer((np.array(logits, np.float32),))
    body = task.pack(sent)
    assert body is not None
    assert len(body) == 4 * min(top, len(logits))
    found = task.unpack(memoryview(body))
    for ours, theirs in zip(sent.top, found.top, strict=True):
        assert (ours["class_id"], ours["label"]) == (theirs["class_id"], theirs["label"])
        assert abs(ours["probability"] - theirs["probability"]) <= STEP / 2 + 1e-6
    assert task.pack(found) == body, "once rounded, nothing is rounded again"


@given(st.integers(0, 65535))
def test_a_score_of_two_bytes_is_a_score(packed: int) -> None:
    assert 0 <= score_of(packed) <= 1
    assert packed_score(score_of(packed)) == packed


def test_the_bytes_are_as_the_page_says() -> None:
    task = Classify(LABELS, 5)
    answer = task.parse(
        {
            "top": [
                {"class_id": 258, "probability": 0.99},
                {"class_id": 3, "probability": 0.000008},
                {"class_id": 4, "probability": 0.0},
            ]
        }
    )
    body = bytes.fromhex("0201 70fd 0300 0100 0400 0000")
    assert task.pack(answer) == body
    assert [each["probability"] for each in task.unpack(body).top] == [0.990005, 0.000015, 0.0]


def test_what_no_answer_packs_is_refused() -> None:
    cases: dict[str, bytes] = {
        "empty": b"",
        "half a row": rows((1, 9)) + b"\0\0",
        "a class twice": rows((1, 9), (1, 8)),
        "the less probable first": rows((1, 8), (2, 9)),
        "no such class": rows((1000, 9)),
        "more than were asked for": rows(*((number, 9) for number in range(6))),
        "more than certain": rows((1, 65535), (2, 9)),
    }
    for name, body in cases.items():
        with naming(name), pytest.raises(ValueError, match=r"."):
            Classify(LABELS, 5).unpack(body)
    assert len(Classify(LABELS, 5, "sigmoid").unpack(rows((1, 65535), (2, 65535))).top) == 2


def test_what_has_no_binary_form_is_told_by_none() -> None:
    many = tuple(map(str, range(70_000)))
    for task, answer in (
        (Classify(LABELS, 5), Classes()),
        (Classify(LABELS, 5), Boxes()),
        (Classify(many, 1), Classes(({"class_id": 65536, "label": "65536", "probability": 0.5},))),
        (RAW.reader(), RAW.reader().nothing()),
    ):
        assert task.pack(answer) is None
    for unread in (RAW.reader(), Classify(None, 1)):
        with pytest.raises(ValueError, match="bytes"):
            unread.unpack(rows((1, 9)))
