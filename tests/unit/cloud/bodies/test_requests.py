"""From a body to tensors: for all bytes, Work that a tail can take, or a RequestError that says what is accepted."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from kits.codecs import (
    PICTURE_CODECS,
    TENSOR_CODECS,
    forge,
    frame_of,
    name_of,
    picture,
    tensor,
    with_right_crc,
)

from cloud.bodies.frames import Work, read_frame, read_json
from cloud.bodies.json_body import parse_object
from edge.frames.preprocess import Preprocess
from shared import limits
from shared.codecs import NAMES, decode_frame
from shared.errors import (
    BodyError,
    CodecError,
    ContentError,
    FingerprintError,
    LimitError,
    RequestError,
    ShapeError,
    SplitPointError,
)
from shared.limits import MAX_PICTURE_PIXELS
from shared.wire import frame as wire

if TYPE_CHECKING:
    from shared.network.model import Model
    from shared.network.partition import Partition

MAX_TENSORS = 4
SMALL = "flatten"  # (512,)
fuzz = settings(deadline=None)


def body_of(data: Any, **fields: Any) -> bytes:
    return json.dumps({"data": data, "split_point": SMALL} | fields).encode()


def numbers(count: int = 1) -> list[list[float]]:
    return np.random.default_rng(count).normal(size=(count, 512)).astype(np.float32).tolist()


def check_work(work: Work, partition: Partition) -> None:
    """What every tail relies on."""
    assert work.tensors.dtype == np.float32
    assert 1 <= len(work.tensors) <= MAX_TENSORS
    assert work.tensors.shape[1:] == partition.point(work.split_point).shape
    assert np.isfinite(work.tensors).all()


# --- frames -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("codec", TENSOR_CODECS, ids=name_of)
def test_a_frame_becomes_the_tensor_that_its_codec_gives_back(
    resnet18: Model, partition: Partition, codec
) -> None:
    array = tensor((512, 7, 7))
    frame = frame_of(codec, array, split_point="layer4", fingerprint=resnet18.fingerprint, frame_id=2**64 - 1)
    work = read_frame(wire.pack(frame), resnet18, partition)
    check_work(work, partition)
    np.testing.assert_array_equal(work.tensors[0], decode_frame(frame))
    assert (work.split_point, work.frame_id, work.deadline_ms, work.count) == ("layer4", 2**64 - 1, 500, None)
    assert (work.codec, work.payload_bytes) == (codec.name, len(frame.payload))


@pytest.mark.parametrize("codec", PICTURE_CODECS, ids=name_of)
def test_a_picture_is_normalised(resnet18: Model, partition: Partition, codec) -> None:
    frame = frame_of(codec, picture(224, 224, seed=3), split_point="input", fingerprint=resnet18.fingerprint)
    work = read_frame(bytearray(wire.pack(frame)), resnet18, partition)
    check_work(work, partition)
    np.testing.assert_array_equal(work.tensors[0], resnet18.recipe.normalise(decode_frame(frame)))


@pytest.mark.parametrize("codec", PICTURE_CODECS, ids=name_of)
@pytest.mark.parametrize("size", [(1, 1), (48, 64), (300, 200), (224, 225), (720, 1280)], ids=str)
def test_a_picture_of_another_size_is_resized_as_the_edge_does_it(
    resnet18: Model, partition: Partition, codec, size: tuple[int, int]
) -> None:
    frame = frame_of(codec, picture(*size), split_point="input", fingerprint=resnet18.fingerprint)
    work = read_frame(wire.pack(frame), resnet18, partition)
    check_work(work, partition)
    bgr = np.ascontiguousarray(decode_frame(frame)[:, :, ::-1])
    prepared = Preprocess(resnet18.recipe)(bgr)
    np.testing.assert_array_equal(work.tensors[0], resnet18.recipe.normalise(prepared))
    assert (work.codec, work.payload_bytes) == (codec.name, len(frame.payload))


def test_a_picture_of_the_networks_size_is_taken_as_it_is(
    resnet18: Model, partition: Partition, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cloud.bodies.frames.resize_and_crop", lambda *_: pytest.fail("it was resized again"))
    frame = frame_of(NAMES["raw"], picture(224, 224), split_point="input", fingerprint=resnet18.fingerprint)
    read_frame(wire.pack(frame), resnet18, partition)


@pytest.mark.parametrize("shape", [(224, 224), (3, 224, 224), (224, 224, 1), (224, 224, 4), (1, 224, 224, 3)])
@pytest.mark.parametrize("codec", PICTURE_CODECS, ids=name_of)
def test_what_is_no_picture_is_refused_with_the_shapes_that_are(
    resnet18: Model, partition: Partition, codec, shape: tuple[int, ...]
) -> None:
    frame = frame_of(codec, split_point="input", fingerprint=resnet18.fingerprint, shape=shape)
    with pytest.raises(ShapeError, match=r"a picture has the shape \(height, width, 3\)") as refused:
        read_frame(wire.pack(frame), resnet18, partition)
    assert refused.value.accepted == {"shape": ["height", "width", 3], "max_pixels": MAX_PICTURE_PIXELS}


def test_the_largest_picture_is_read_and_the_next_one_refused(resnet18: Model, partition: Partition) -> None:
    assert MAX_PICTURE_PIXELS == 1365 * 4097
    fields = {"split_point": "input", "fingerprint": resnet18.fingerprint}
    largest = frame_of(NAMES["png"], np.zeros((1365, 4097, 3), np.uint8), **fields)
    check_work(read_frame(wire.pack(largest), resnet18, partition), partition)
    data = bytearray(wire.pack(largest))
    data[36:38] = (1366).to_bytes(2, "little")  # the shape's first dimension
    with pytest.raises(LimitError, match="elements"):
        read_frame(with_right_crc(bytes(data)), resnet18, partition)


def test_a_frame_of_another_network_is_told_what_runs_here(resnet18: Model, partition: Partition) -> None:
    data = wire.pack(frame_of(NAMES["raw"], picture(224, 224), split_point="input"))
    with pytest.raises(FingerprintError, match="resnet18") as refused:
        read_frame(data, resnet18, partition)
    assert refused.value.accepted == {
        "fingerprint": resnet18.fingerprint.hex(),
        "model": "resnet18",
        "weights": "random:0",
    }


@pytest.mark.parametrize(
    ("changes", "error", "text"),
    [
        ({"split_point": "layer33"}, SplitPointError, "did you mean layer3"),
        ({"split_point": "layer2"}, ShapeError, r"\(128, 28, 28\) crosses, not \(512, 7, 7\)"),
        ({"codec_id": 999}, CodecError, "unknown codec id 999"),
        ({"codec_id": NAMES["raw"].id}, CodecError, "pictures travel at the split point 'input' only"),
        ({"shape": (512, 49)}, ShapeError, r"not \(512, 49\)"),
        ({"payload": bytes(8)}, ContentError, "the frame brings 8"),
    ],
    ids=str,
)
def test_a_frame_that_does_not_fit_is_refused_by_name(
    resnet18: Model, partition: Partition, changes: dict, error: type[RequestError], text: str
) -> None:
    fields = {"split_point": "layer4", "fingerprint": resnet18.fingerprint} | changes
    data = wire.pack(frame_of(NAMES["float32"], tensor((512, 7, 7)), **fields))
    with pytest.raises(error, match=text) as refused:
        read_frame(data, resnet18, partition)
    assert type(refused.value) is error


@pytest.mark.parametrize("name", ["float32", "int8+zstd", "jpeg"])
def test_a_shape_that_is_not_the_split_points_costs_no_decoding(
    resnet18: Model, partition: Partition, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    codec = NAMES[name]
    point, shape = ("input", (4096, 4096, 1)) if codec.carries == "picture" else ("layer4", (512, 7, 8))
    data = wire.pack(frame_of(codec, fingerprint=resnet18.fingerprint, split_point=point, shape=shape))
    monkeypatch.setattr(type(codec), "decode", lambda *_: pytest.fail("decoded a tensor that no tail can take"))
    with pytest.raises(ShapeError):
        read_frame(data, resnet18, partition)


@fuzz
@given(st.data())
@example(None)
def test_all_bytes_are_work_or_refused(resnet18: Model, partition: Partition, data: Any) -> None:
    """A right frame with anything done to it, its checksum made right again so that what lies behind is reached."""
    if data is None:
        body = b""
    else:
        codec = data.draw(st.sampled_from([*TENSOR_CODECS, *PICTURE_CODECS]))
        array, point = (tensor((512,)), SMALL) if codec.carries == "tensor" else (picture(224, 224), "input")
        good = wire.pack(frame_of(codec, array, split_point=point, fingerprint=resnet18.fingerprint))
        start = data.draw(st.integers(0, len(good)))
        length = data.draw(st.integers(0, 8))
        body = good[:start] + data.draw(st.binary(max_size=8)) + good[start + length :]
        body = with_right_crc(body) if data.draw(st.booleans()) else body
    try:
        work = read_frame(body, resnet18, partition)
    except RequestError:
        return
    check_work(work, partition)


@fuzz
@given(st.binary(max_size=200))
@example(forge())
def test_any_bytes_are_refused_by_both_contracts(resnet18: Model, partition: Partition, body: bytes) -> None:
    for read in (
        lambda: read_frame(body, resnet18, partition),
        lambda: read_json(body, partition, SMALL, MAX_TENSORS),
    ):
        with pytest.raises(RequestError):
            read()


# --- JSON -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, MAX_TENSORS])
def test_nested_lists_become_tensors(partition: Partition, count: int) -> None:
    data = numbers(count)
    work = read_json(body_of(data, count=12), partition, "layer3", MAX_TENSORS)
    check_work(work, partition)
    np.testing.assert_array_equal(work.tensors, np.array(data, np.float32))
    assert (work.split_point, work.count, work.codec, work.deadline_ms) == (SMALL, 12, None, 0)


def test_without_a_split_point_it_is_the_default(partition: Partition) -> None:
    body = json.dumps({"data": numbers()}).encode()
    assert read_json(body, partition, SMALL, MAX_TENSORS).split_point == SMALL
    with pytest.raises(ShapeError, match=r"\(256, 14, 14\) crosses"):
        read_json(body, partition, "layer3", MAX_TENSORS)


def test_whole_numbers_are_numbers(partition: Partition) -> None:
    work = read_json(body_of([[1, -(2**40), *[0] * 510]]), partition, SMALL, MAX_TENSORS)
    assert work.tensors[0, :3].tolist() == [1.0, -(2.0**40), 0.0]


@pytest.mark.parametrize("count", [0, -3, 2.5, 10**40, None, True])
def test_count_comes_back_as_it_is(partition: Partition, count: Any) -> None:
    work = read_json(body_of(numbers(), count=count), partition, SMALL, MAX_TENSORS)
    assert work.count is count or work.count == count


@pytest.mark.parametrize(
    ("data", "error", "text"),
    [
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
    ],
    ids=lambda value: str(value)[:24],
)
def test_data_that_no_tail_can_take_is_refused_by_name(
    partition: Partition, data: Any, error: type[RequestError], text: str
) -> None:
    with pytest.raises(error, match=text) as refused:
        read_json(body_of(data), partition, SMALL, MAX_TENSORS)
    assert type(refused.value) is error


@pytest.mark.parametrize("literal", ["1e999", "-1e999", "1" * 4301, "1" + "0" * 39])
def test_a_number_beyond_float32_is_refused(partition: Partition, literal: str) -> None:
    body = body_of([[0.5] * 512]).replace(b"0.5", literal.encode(), 1)
    with pytest.raises(RequestError) as refused:
        read_json(body, partition, SMALL, MAX_TENSORS)
    assert refused.value.status in (400, 422)


@pytest.mark.parametrize(
    "fields",
    [
        {"count": "12"},
        {"count": [1]},
        {"count": {}},
        {"count": float("nan")},
        {"count": float("inf")},
        {"split_point": None},
        {"split_point": 3},
        {"split_point": ["layer3"]},
        {"split_point": "x" * 1_000_000},
    ],
    ids=lambda fields: str(fields)[:32],
)
def test_a_field_of_the_wrong_kind_is_refused_and_not_repeated_at_length(
    partition: Partition, fields: dict
) -> None:
    with pytest.raises(BodyError, match=next(iter(fields))) as refused:
        read_json(body_of(numbers(), **fields), partition, SMALL, MAX_TENSORS)
    assert refused.value.accepted
    assert len(str(refused.value)) < 200


def test_an_unknown_split_point_is_told_the_nearest(partition: Partition) -> None:
    with pytest.raises(SplitPointError, match="did you mean flatten") as refused:
        read_json(body_of(numbers(), split_point="flaten"), partition, SMALL, MAX_TENSORS)
    assert refused.value.accepted == list(partition.points)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b'{"data": [1,]}', "not JSON"),
        (b"\xff\xfe\x00", "not JSON"),
        (b'{"data": "\xff"}', "not JSON"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"data":' * 100_000, "nested too deeply"),
        (b"null", "a JSON NoneType"),
        (b"[1]", "a JSON list"),
        (b'"data"', "a JSON str"),
        (b"{}", 'no "data"'),
        (b'{"dat": 1}', 'no "data"'),
    ],
    ids=lambda value: str(value)[:24],
)
def test_a_body_that_is_no_request_is_refused_with_what_is_accepted(
    partition: Partition, body: bytes, text: str
) -> None:
    with pytest.raises(BodyError, match=text) as refused:
        read_json(body, partition, SMALL, MAX_TENSORS)
    assert refused.value.accepted["data"].startswith("nested lists")


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


@fuzz
@given(requests | json_values)
def test_any_json_is_work_or_refused(resnet18: Model, partition: Partition, value: Any) -> None:
    tiny = _TinyPartition(partition)
    try:
        work = read_json(json.dumps(value).encode(), tiny, "tiny", MAX_TENSORS)
    except RequestError as error:
        assert str(error)
        json.dumps(error.accepted)
        return
    assert work.split_point == "tiny"
    assert work.tensors.shape == (len(value["data"]), 2)
    assert np.isfinite(work.tensors).all()
    json.dumps(work.count, allow_nan=False)


class _TinyPartition:
    """With a split point at which two numbers cross, so that chance finds tensors which fit."""

    def __init__(self, partition: Partition) -> None:
        self._partition = partition
        self.points = {**partition.points, "tiny": _TinyPoint}

    def point(self, name: str) -> Any:
        return _TinyPoint if name == "tiny" else self._partition.point(name)


class _TinyPoint:
    name = "tiny"
    shape = (2,)


@pytest.mark.parametrize(
    "flood",
    [b"[]," * 2_000_000, b"{}," * 300_000, b'"a",' * 300_000, b"1," * (limits.MAX_ELEMENTS + 2)],
    ids=["[]", "{}", '"a"', "1"],
)
def test_a_body_that_would_parse_into_far_more_than_tensors_is_refused_before_it_is_parsed(
    flood, monkeypatch
):
    monkeypatch.setattr("cloud.bodies.json_body.json.loads", lambda _text: pytest.fail("it was parsed"))
    with pytest.raises(LimitError, match="a JSON body with"):
        parse_object(b'{"data": [' + flood + b"0]}", {})
