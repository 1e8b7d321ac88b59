"""Boxes in binary: every corner within a quarter of a pixel, or exact where hundredths fit into two bytes."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kits.detecting import ANIMALS, detector
from kits.naming import naming

from shared.tasks.detection.boxes import MAX_BOXES, Box, Boxes
from shared.tasks.detection.packed import packed_boxes, steps_in_pixel, unpacked_boxes

SIZES = ((128, 96), (655, 10), (640, 640), (1280, 720), (96, 4000), (16383, 300))


def name_of(number: int) -> str:
    if number >= 90:
        raise ValueError(f"class {number}")
    return f"name {number}"


def box(corners: tuple[float, float, float, float], number: int = 1, score: float = 0.5) -> Box:
    return Box(number, name_of(number), score, corners)


@st.composite
def answers(draw: st.DrawFn) -> Boxes:
    size = draw(st.sampled_from(SIZES))

    def side(length: int) -> tuple[float, float]:
        low = draw(st.integers(0, 100 * length - 1))
        short = st.integers(low + 1, min(low + 40, 100 * length))
        high = draw(st.one_of(short, st.integers(low + 1, 100 * length)))
        return low / 100, high / 100

    scores = draw(st.lists(st.integers(0, 1_000_000), max_size=12))
    boxes = []
    for score in sorted(scores, reverse=True):
        (x0, x1), (y0, y1) = side(size[0]), side(size[1])
        boxes.append(box((x0, y0, x1, y1), draw(st.integers(0, 89)), score / 1e6))
    return Boxes(tuple(boxes), size, draw(st.sampled_from((0, 0, 1, 1 << 24))))


@settings(deadline=None)
@given(answers())
def test_an_answer_of_boxes_comes_back(sent: Boxes) -> None:
    assert sent.size is not None
    body = packed_boxes(sent, sent.size)
    assert body is not None
    assert len(body) == 12 * len(sent.boxes) + 4 * bool(sent.more)
    found = unpacked_boxes(memoryview(body), name_of, sent.size)
    assert (found.size, found.more) == (sent.size, sent.more)
    for ours, theirs in zip(sent.boxes, found.boxes, strict=True):
        assert (ours.class_id, ours.label) == (theirs.class_id, theirs.label)
        assert abs(ours.score - theirs.score) <= 0.5 / 65535 + 1e-6
        if max(sent.size) <= 655:
            assert ours.corners == theirs.corners
        assert max(abs(one - other) for one, other in zip(ours.corners, theirs.corners, strict=True)) <= 0.25
    assert packed_boxes(found, sent.size) == body, "once rounded, nothing is rounded again"


def test_the_bytes_are_as_the_page_says() -> None:
    sent = Boxes((box((0.5, 1.25, 64.0, 95.99), 7, 1.0),), (128, 96), 3)
    body = bytes.fromhex("0700 ffff 3200 7d00 0019 7f25 03000000")
    assert packed_boxes(sent, (128, 96)) == body
    assert unpacked_boxes(body, name_of, (128, 96)) == sent
    assert [steps_in_pixel(size) for size in (*SIZES, (9, 16384))] == [100, 100, 100, 51, 16, 4, 0]


def test_a_box_that_is_thinner_than_a_step_keeps_an_area() -> None:
    size = (16383, 16383)
    for low, high, expected in (
        (0.0, 0.01, (0.0, 0.25)),
        (16382.99, 16383.0, (16382.75, 16383.0)),
        (5.01, 5.02, (5.0, 5.25)),
        (4.95, 4.99, (4.75, 5.0)),
    ):
        body = packed_boxes(Boxes((box((low, low, high, high)),), size), size)
        assert body is not None
        (found,) = unpacked_boxes(body, name_of, size).boxes
        assert found.corners == (expected[0], expected[0], expected[1], expected[1])


def test_what_no_answer_packs_is_refused() -> None:
    row = struct.pack("<6H", 1, 9, 0, 0, 12800, 9600)
    assert len(unpacked_boxes(row, name_of, (128, 96)).boxes) == 1
    assert unpacked_boxes(b"", name_of, (128, 96)) == Boxes((), (128, 96))
    cases = {
        "half a box": row[:6],
        "too many": row * (MAX_BOXES + 1),
        "more says none": row + bytes(4),
        "more says too many": row + struct.pack("<I", (1 << 24) + 1),
        "the lower score first": row + struct.pack("<6H", 1, 10, 0, 0, 1, 1),
        "no width": struct.pack("<6H", 1, 9, 5, 0, 5, 1),
        "no height": struct.pack("<6H", 1, 9, 0, 5, 1, 4),
        "beyond the input": struct.pack("<6H", 1, 9, 0, 0, 1, 9601),
        "no such class": struct.pack("<6H", 90, 9, 0, 0, 1, 1),
    }
    for name, body in cases.items():
        with naming(name), pytest.raises(ValueError, match=r"."):
            unpacked_boxes(body, name_of, (128, 96))
    with pytest.raises(ValueError, match="16384x2"):
        unpacked_boxes(row, name_of, (16384, 2))


def test_what_has_no_binary_form_is_told_by_none() -> None:
    for answer in (
        Boxes(),
        Boxes((), (9, 9)),
        Boxes((Box(65536, "", 0.5, (0.0, 0.0, 1.0, 1.0)),), (128, 96)),
    ):
        assert packed_boxes(answer, (128, 96)) is None
    assert packed_boxes(Boxes((), (16384, 2)), (16384, 2)) is None


def test_the_task_packs_what_it_answers() -> None:
    task = detector("scores")
    answer = Boxes((Box(2, ANIMALS[2], 0.5, (1.0, 2.0, 3.0, 4.0)),), (128, 96))
    body = task.pack(answer)
    assert body is not None
    assert task.unpack(body).headline() == answer.headline()
    with pytest.raises(ValueError, match="class 3 of 3"):
        task.unpack(struct.pack("<6H", 3, 9, 0, 0, 1, 1))
