"""From a JSON body to tensors that a tail can take; every other body is a RequestError that says what is accepted."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from kits.codecs import forge
from kits.work import MAX_TENSORS, SMALL, check_work

from cloud.bodies.frames import read_frame, read_json
from cloud.bodies.json.body import Shapes, parse_object
from shared.errors import BodyError, ContentError, LimitError, RequestError, ShapeError, SplitPointError
from shared.limits import MAX_ELEMENTS

if TYPE_CHECKING:
    from shared.network.model import Model
    from shared.network.partition import Partition


@pytest.fixture(scope="module")
def shapes(partition: Partition) -> Shapes:
    return {name: point.shapes for name, point in partition.points.items()}


def body_of(data: Any, **fields: Any) -> bytes:
    return json.dumps({"data": data, "split_point": SMALL} | fields).encode()


def numbers(count: int = 1) -> list[list[float]]:
    return np.random.default_rng(count).normal(size=(count, 512)).astype(np.float32).tolist()


@pytest.mark.parametrize("count", [1, MAX_TENSORS])
def test_nested_lists_become_tensors(partition: Partition, shapes: Shapes, count: int) -> None:
    data = numbers(count)
    work = read_json(body_of(data, count=12), shapes, "layer3", MAX_TENSORS)
    check_work(work, partition)
    np.testing.assert_array_equal(work.crossing[0], np.array(data, np.float32))
    assert (work.split_point, work.count, work.codec, work.deadline_ms) == (SMALL, 12, None, 0)


def test_without_a_split_point_it_is_the_default(shapes: Shapes) -> None:
    body = json.dumps({"data": numbers()}).encode()
    assert read_json(body, shapes, SMALL, MAX_TENSORS).split_point == SMALL
    with pytest.raises(ShapeError, match=r"\(256, 14, 14\) crosses"):
        read_json(body, shapes, "layer3", MAX_TENSORS)


def test_whole_numbers_are_numbers(shapes: Shapes) -> None:
    work = read_json(body_of([[1, -(2**40), *[0] * 510]]), shapes, SMALL, MAX_TENSORS)
    assert work.crossing[0][0, :3].tolist() == [1.0, -(2.0**40), 0.0]


def test_count_comes_back_as_it_is(shapes: Shapes) -> None:
    for count in (0, -3, 2.5, 10**40, None, True):
        work = read_json(body_of(numbers(), count=count), shapes, SMALL, MAX_TENSORS)
        assert work.count is count or work.count == count


UNFIT: list[tuple[Any, type[RequestError], str]] = [
    (7, ShapeError, r"shape \(512\) crosses, not \(\)"),
    ([], ShapeError, r"not \(\)"),
    ([[]], ShapeError, r"not \(0\)"),
    (numbers()[0], ShapeError, r"not \(\)"),
    ([numbers()], ShapeError, r"not \(1, 512\)"),
    ([[0.0] * 511], ShapeError, r"not \(511\)"),
    ([[0.0] * 512, [0.0] * 511], ShapeError, "not a rectangular array"),
    ([[0.0] * 511 + [[0.0]]], ShapeError, "not a rectangular array"),
    ([["a"] * 512], ShapeError, "not a rectangular array of numbers"),
    ([["1.5"] * 512], ShapeError, "not a rectangular array of numbers"),
    (["1" * 512], ShapeError, "not a rectangular array of numbers"),
    ([[0.0] * 511 + ["nan"]], ShapeError, "not a rectangular array of numbers"),
    ([[None] * 512], ShapeError, "not a rectangular array of numbers"),
    ([[True] * 512], ShapeError, "not a rectangular array of numbers"),
    ([[{}] * 512], ShapeError, "not a rectangular array of numbers"),
    ({"0": numbers()}, ShapeError, "not a rectangular array of numbers"),
    ("[[1.0]]", ShapeError, "not a rectangular array of numbers"),
    (None, ShapeError, "not a rectangular array of numbers"),
    ([[10**400] + [0] * 511], ShapeError, "not a rectangular array of numbers"),
    (numbers(MAX_TENSORS + 1), LimitError, "5 tensors in one request"),
    ([[float("nan")] + [0.0] * 511], ContentError, "NaN, infinity or a number too large"),
    ([[float("-inf")] + [0.0] * 511], ContentError, "NaN, infinity or a number too large"),
    ([[1e39] + [0.0] * 511], ContentError, "NaN, infinity or a number too large"),
]


def test_data_that_no_tail_can_take_is_refused_by_name(shapes: Shapes) -> None:
    for data, error, text in UNFIT:
        with pytest.raises(error, match=text) as refused:
            read_json(body_of(data), shapes, SMALL, MAX_TENSORS)
        assert type(refused.value) is error, str(data)[:40]


def test_a_number_beyond_float32_is_refused(shapes: Shapes) -> None:
    for literal in ("1e999", "-1e999", "1" * 4301, "1" + "0" * 39):
        body = body_of([[0.5] * 512]).replace(b"0.5", literal.encode(), 1)
        with pytest.raises(RequestError) as refused:
            read_json(body, shapes, SMALL, MAX_TENSORS)
        assert refused.value.status in (400, 422), literal[:9]


def test_a_field_of_the_wrong_kind_is_refused_and_not_repeated_at_length(shapes: Shapes) -> None:
    cases: list[dict[str, Any]] = [
        {"count": "12"},
        {"count": [1]},
        {"count": {}},
        {"count": float("nan")},
        {"count": float("inf")},
        {"split_point": None},
        {"split_point": 3},
        {"split_point": ["layer3"]},
        {"split_point": "x" * 1_000_000},
    ]
    for fields in cases:
        with pytest.raises(BodyError, match=next(iter(fields))) as refused:
            read_json(body_of(numbers(), **fields), shapes, SMALL, MAX_TENSORS)
        assert refused.value.accepted
        assert len(str(refused.value)) < 200


def test_an_unknown_split_point_is_told_the_nearest(shapes: Shapes) -> None:
    with pytest.raises(SplitPointError, match="did you mean flatten") as refused:
        read_json(body_of(numbers(), split_point="flaten"), shapes, SMALL, MAX_TENSORS)
    assert refused.value.accepted == list(shapes)


NO_REQUESTS = [
    (b"", "not JSON"),
    (b"{", "not JSON"),
    (b'{"data": [1,]}', "not JSON"),
    (b"\xff\xfe\x00", "not JSON"),
    (b'{"data": "\xff"}', "not JSON"),
    (b"[" * 100_000, "nested too deeply"),
    (b'{"data":' * 100_000, "nested too deeply"),
    (b"null", "the body is JSON's null"),
    (b"[1]", "a JSON array"),
    (b'"data"', "a JSON string"),
    (b"{}", 'no "data"'),
    (b'{"dat": 1}', 'no "data"'),
]


def test_a_body_that_is_no_request_is_refused_with_what_is_accepted(shapes: Shapes) -> None:
    for body, text in NO_REQUESTS:
        with pytest.raises(BodyError, match=text) as refused:
            read_json(body, shapes, SMALL, MAX_TENSORS)
        assert refused.value.accepted["data"].startswith("nested lists"), body[:24]


def test_parse_object_takes_every_kind_of_bytes() -> None:
    for body in (b'{"a": [1.5]}', bytearray(b'{"a": [1.5]}'), memoryview(b'{"a": [1.5]}')):
        assert parse_object(body, {}) == {"a": [1.5]}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)
"""NaN and infinity among them: Python's JSON has literals for both."""


pairs = st.lists(
    st.lists(st.floats(width=32) | st.integers(), min_size=2, max_size=2), min_size=1, max_size=5
)
requests = st.fixed_dictionaries(
    {"data": pairs | json_values},
    optional={
        "count": st.integers() | json_values,
        "split_point": st.sampled_from(["tiny", SMALL]) | json_values,
    },
)


@settings(deadline=None)
@given(requests | json_values)
def test_any_json_is_work_or_refused(shapes: Shapes, value: Any) -> None:
    """With a split point at which two numbers cross, so that chance finds tensors which fit."""
    try:
        work = read_json(json.dumps(value).encode(), {**shapes, "tiny": ((2,),)}, "tiny", MAX_TENSORS)
    except RequestError as error:
        assert str(error)
        json.dumps(error.accepted)
        return
    assert work.split_point == "tiny"
    (tensors,) = work.crossing
    assert tensors.shape == (len(value["data"]), 2)
    assert np.isfinite(tensors).all()
    json.dumps(work.count, allow_nan=False)


def test_a_body_that_would_parse_into_far_more_than_tensors_is_refused_before_it_is_parsed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("cloud.bodies.json.body.json.loads", lambda _text: pytest.fail("it was parsed"))
    for flood in (b"[]," * 2_000_000, b"{}," * 300_000, b'"a",' * 300_000, b"1," * (MAX_ELEMENTS + 2)):
        with pytest.raises(LimitError, match="a JSON body with"):
            parse_object(b'{"data": [' + flood + b"0]}", {})


@settings(deadline=None)
@given(st.binary(max_size=200))
@example(forge())
def test_any_bytes_are_refused_by_both_contracts(
    model: Model, partition: Partition, shapes: Shapes, body: bytes
) -> None:
    for read in (
        lambda: read_frame(body, model, partition),
        lambda: read_json(body, shapes, SMALL, MAX_TENSORS),
    ):
        with pytest.raises(RequestError):
            read()
