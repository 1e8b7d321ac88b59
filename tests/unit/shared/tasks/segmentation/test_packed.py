"""Class maps in binary: what is unpacked is what was packed, to the last pixel and share."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kits.naming import naming

from shared.tasks.segmentation.class_map import MAX_RUNS, ClassMap, class_map
from shared.tasks.segmentation.packed import packed_map, packed_numbers, read_numbers, unpacked_map
from shared.tasks.segmentation.segment import AnyMap, Layout, Segment
from shared.tasks.spec import TaskSpec
from shared.wire.session import varint

LABELS = tuple(f"class {number}" for number in range(300))
SIZE = (520, 260)


def blobs(seed: int, height: int, width: int, classes: int) -> np.ndarray:
    """A map as networks make them: a few classes in large pieces."""
    chance = np.random.default_rng(seed)
    coarse = chance.integers(0, classes, (height // 16 + 1, width // 16 + 1))
    rows, columns = np.mgrid[:height, :width]
    wobble = chance.integers(0, 3, (height, 1)) + rows
    return coarse[wobble % height // 16, (columns + wobble // 3) % width // 16]


@settings(deadline=None)
@given(
    st.integers(0, 1 << 30), st.integers(1, 40), st.integers(1, 300), st.sampled_from((1, 2, 21, 150, 300))
)
def test_a_map_comes_back(seed: int, height: int, width: int, classes: int) -> None:
    sent = class_map(blobs(seed, height, width, classes), LABELS, SIZE)
    body = packed_map(sent, LABELS, SIZE)
    assert body is not None
    assert unpacked_map(memoryview(body), LABELS, SIZE) == sent


def test_a_thinned_map_comes_back_with_the_shares_of_all_pixels() -> None:
    noise = np.random.default_rng(0).integers(0, 300, (520, 520))
    sent = class_map(noise, LABELS, (520, 520))
    assert sent.thinned > 1
    body = packed_map(sent, LABELS, (520, 520))
    assert body is not None
    assert unpacked_map(body, LABELS, (520, 520)) == sent


def test_a_map_is_a_third_of_its_json() -> None:
    sent = class_map(blobs(3, 224, 224, 21), LABELS, SIZE)
    body = packed_map(sent, LABELS, SIZE)
    assert body is not None
    assert 3 * len(body) <= len(json.dumps(sent.fields()))


def test_the_bytes_are_as_the_page_says() -> None:
    sent = class_map(np.array([[0, 0, 299, 299], [299, 0, 0, 0]]), LABELS, SIZE)
    body = bytes.fromhex("04 02 01 00 0002 ab0203 0003")
    assert packed_map(sent, LABELS, SIZE) == body
    thinned = ClassMap((0, 2, 299, 2), (2, 2), sent.covers, sent.shares, 2)
    assert [each.share for each in sent.shares] == [0.625, 0.375]
    body = bytes.fromhex("02 02 02 02 00e89226 ab02d8f116 0002 ab0202")
    assert packed_map(thinned, LABELS, SIZE) == body


@given(st.lists(st.integers(0, (1 << 28) - 1), min_size=1))
def test_numbers_are_varints(numbers: list[int]) -> None:
    body = packed_numbers(numbers)
    assert body == b"".join(map(varint.packed, numbers))
    assert read_numbers(body).tolist() == numbers


@given(st.binary(max_size=12))
def test_there_is_one_form_of_each_number(data: bytes) -> None:
    try:
        numbers = read_numbers(data)
    except ValueError:
        return
    assert packed_numbers(numbers.tolist()) == data


def test_what_no_map_packs_is_refused() -> None:
    whole = [4, 2, 1, 0, 0, 2, 1, 3, 0, 3]
    assert unpacked_map(packed_numbers(whole), LABELS, SIZE).size == (4, 2)
    for name, numbers in {
        "half a head": whole[:3],
        "half a run": whole[:-1],
        "no run": whole[:4],
        "a run of nothing": [*whole, 1, 0],
        "runs that do not fill it": whole[:-2],
        "no width": [0, 2, *whole[2:]],
        "more pixels than a picture": [1 << 20, 1 << 20, *whole[2:]],
        "no such class": [4, 2, 1, 0, 300, 8],
        "a class far beyond": [4, 2, 1, 0, (1 << 28) - 1, 8],
        "not thinned at all": [4, 2, 0, 0, 0, 8],
        "shares that the map has": [4, 2, 1, 1, 0, 1_000_000, 0, 8],
        "no shares": [4, 2, 2, 0, 0, 8],
        "more shares than classes": [4, 2, 2, 301, 0, 8],
        "shares of other classes": [4, 2, 2, 1, 1, 1_000_000, 0, 8],
        "shares that are not all": [4, 2, 2, 1, 0, 999_000, 0, 8],
        "the smaller share first": [4, 2, 2, 2, 0, 400_000, 1, 600_000, 0, 8],
        "too many runs": [2 * MAX_RUNS + 2, 1, 1, 0, *[0, 1, 1, 1] * (MAX_RUNS + 1)],
    }.items():
        with naming(name), pytest.raises(ValueError, match=r"."):
            unpacked_map(packed_numbers(numbers), LABELS, SIZE)
    for body in (b"", b"\x80", b"\4\2\1\0\0\x88\0", b"\4\2\1\0\0\xff\xff\xff\xff\1"):
        with pytest.raises(ValueError, match="number"):
            unpacked_map(body, LABELS, SIZE)


def test_what_has_no_binary_form_is_told_by_none() -> None:
    sent = class_map(np.zeros((2, 2), int), LABELS, SIZE)
    for odd in (ClassMap(), ClassMap(sent.runs, sent.size, (0.0, 0.0, 1.0, 1.0), sent.shares)):
        assert packed_map(odd, LABELS, SIZE) is None
    other = ClassMap(sent.runs, sent.size, sent.covers, (sent.shares[0]._replace(share=0.5),))
    assert packed_map(other, LABELS, SIZE) is None
    reader = AnyMap()
    assert reader.pack(sent) is None
    with pytest.raises(ValueError, match="names"):
        reader.unpack(b"\4\2\1\0\0\x08")


def test_the_task_packs_what_it_answers() -> None:
    task = Segment(Layout(TaskSpec("segment")), LABELS, SIZE)
    values = np.random.default_rng(1).normal(size=(300, 8, 9)).astype(np.float32)
    answer = task.answer((values,))
    body = task.pack(answer)
    assert body is not None
    assert task.unpack(body) == answer
