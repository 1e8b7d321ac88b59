"""From a binary frame to work that a tail can take; every other body is a RequestError that says what is accepted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from kits.codecs import PICTURE_CODECS, TENSOR_CODECS, frame_of, name_of, picture, tensor, with_right_crc
from kits.numpy_network import write_bundle
from kits.work import SMALL, check_work

from cloud.bodies.frames import read_frame
from edge.frames.preprocess import Preprocess
from shared.codecs import NAMES, decode_frame
from shared.errors import (
    CodecError,
    ContentError,
    LimitError,
    RequestError,
    ShapeError,
    SplitPointError,
)
from shared.limits import MAX_PICTURE_PIXELS
from shared.wire import frame as wire

if TYPE_CHECKING:
    from pathlib import Path

    from shared.network.model import Model
    from shared.network.partition import Partition

fuzz = settings(deadline=None)


@pytest.mark.parametrize("codec", TENSOR_CODECS, ids=name_of)
def test_a_frame_becomes_the_tensor_that_its_codec_gives_back(
    model: Model, partition: Partition, codec
) -> None:
    array = tensor((512, 7, 7))
    frame = frame_of(codec, array, split_point="layer4", fingerprint=model.fingerprint, frame_id=2**64 - 1)
    work = read_frame(wire.pack(frame), model, partition)
    check_work(work, partition)
    np.testing.assert_array_equal(work.crossing[0][0], *decode_frame(frame))
    assert (work.split_point, work.frame_id, work.deadline_ms, work.count) == ("layer4", 2**64 - 1, 500, None)
    assert (work.codec, work.payload_bytes) == (codec.name, frame.payload_bytes)


@pytest.mark.parametrize("codec", PICTURE_CODECS, ids=name_of)
def test_a_picture_is_normalised(model: Model, partition: Partition, codec) -> None:
    frame = frame_of(codec, picture(224, 224, seed=3), split_point="input", fingerprint=model.fingerprint)
    work = read_frame(bytearray(wire.pack(frame)), model, partition)
    check_work(work, partition)
    np.testing.assert_array_equal(work.crossing[0][0], model.recipe.normalise(*decode_frame(frame)))


@pytest.mark.parametrize("codec", PICTURE_CODECS, ids=name_of)
@pytest.mark.parametrize("size", [(1, 1), (48, 64), (300, 200), (224, 225), (720, 1280)], ids=str)
def test_a_picture_of_another_size_is_resized_as_the_edge_does_it(
    model: Model, partition: Partition, codec, size: tuple[int, int]
) -> None:
    frame = frame_of(codec, picture(*size), split_point="input", fingerprint=model.fingerprint)
    work = read_frame(wire.pack(frame), model, partition)
    check_work(work, partition)
    bgr = np.ascontiguousarray(decode_frame(frame)[0][:, :, ::-1])
    prepared = Preprocess(model.recipe)(bgr)
    np.testing.assert_array_equal(work.crossing[0][0], model.recipe.normalise(prepared))
    assert (work.codec, work.payload_bytes) == (codec.name, frame.payload_bytes)


def test_a_picture_of_the_networks_size_is_taken_as_it_is(
    model: Model, partition: Partition, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cloud.bodies.frames.fit_picture", lambda *_: pytest.fail("it was resized again"))
    frame = frame_of(NAMES["raw"], picture(224, 224), split_point="input", fingerprint=model.fingerprint)
    read_frame(wire.pack(frame), model, partition)


def test_a_shape_that_is_no_pictures_is_refused_with_those_that_are(
    model: Model, partition: Partition
) -> None:
    for codec in PICTURE_CODECS:
        for shape in ((224, 224), (3, 224, 224), (224, 224, 1), (224, 224, 4), (1, 224, 224, 3)):
            frame = frame_of(codec, split_point="input", fingerprint=model.fingerprint, shape=shape)
            with pytest.raises(ShapeError, match=r"a picture has the shape \(height, width, 3\)") as refused:
                read_frame(wire.pack(frame), model, partition)
            assert refused.value.accepted == {
                "shape": ["height", "width", 3],
                "max_pixels": MAX_PICTURE_PIXELS,
            }, (codec.name, shape)


def test_the_largest_picture_is_read_and_the_next_one_refused(model: Model, partition: Partition) -> None:
    assert MAX_PICTURE_PIXELS == 1365 * 4097
    fields = {"split_point": "input", "fingerprint": model.fingerprint}
    largest = frame_of(NAMES["png"], np.zeros((1365, 4097, 3), np.uint8), **fields)
    check_work(read_frame(wire.pack(largest), model, partition), partition)
    data = bytearray(wire.pack(largest))
    data[36:38] = (1366).to_bytes(2, "little")  # the shape's first dimension
    with pytest.raises(LimitError, match="elements"):
        read_frame(with_right_crc(bytes(data)), model, partition)


def test_a_frame_carries_one_tensor_and_no_several(model: Model, tmp_path: Path) -> None:
    partition = write_bundle(tmp_path, outputs=["logits", "features"]).partition
    frame = frame_of(NAMES["float32"], np.zeros(1000, np.float32), split_point="output")
    with pytest.raises(SplitPointError, match="2 tensors cross at output") as refused:
        read_frame(wire.pack(frame), model, partition)
    assert refused.value.accepted == list(partition.points)[:-1]


def test_a_frame_that_does_not_fit_is_refused_by_name(model: Model, partition: Partition) -> None:
    cases: list[tuple[dict[str, Any], type[RequestError], str]] = [
        ({"split_point": "layer33"}, SplitPointError, "did you mean layer3"),
        ({"split_point": "layer2"}, ShapeError, r"\(128, 28, 28\) crosses, not \(512, 7, 7\)"),
        ({"codec_id": 999}, CodecError, "unknown codec id 999"),
        ({"codec_id": NAMES["raw"].id}, CodecError, "pictures travel at the split point 'input' only"),
        ({"shape": (512, 49)}, ShapeError, r"not \(512, 49\)"),
        ({"payload": bytes(8)}, ContentError, "the frame brings 8"),
    ]
    for changes, error, text in cases:
        fields = {"split_point": "layer4", "fingerprint": model.fingerprint} | changes
        data = wire.pack(frame_of(NAMES["float32"], tensor((512, 7, 7)), **fields))
        with pytest.raises(error, match=text) as refused:
            read_frame(data, model, partition)
        assert type(refused.value) is error, changes


@pytest.mark.parametrize("name", ["float32", "int8+zstd", "jpeg"])
def test_a_shape_that_is_not_the_split_points_costs_no_decoding(
    model: Model, partition: Partition, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    codec = NAMES[name]
    point, shape = ("input", (4096, 4096, 1)) if codec.carries == "picture" else ("layer4", (512, 7, 8))
    data = wire.pack(frame_of(codec, fingerprint=model.fingerprint, split_point=point, shape=shape))
    monkeypatch.setattr(
        type(codec), "decode", lambda *_: pytest.fail("decoded a tensor that no tail can take")
    )
    with pytest.raises(ShapeError):
        read_frame(data, model, partition)


@fuzz
@given(st.data())
@example(None)
def test_all_bytes_are_work_or_refused(model: Model, partition: Partition, data: Any) -> None:
    """A right frame with anything done to it, its checksum made right again so that what lies behind is reached."""
    if data is None:
        body = b""
    else:
        codec = data.draw(st.sampled_from([*TENSOR_CODECS, *PICTURE_CODECS]))
        array, point = (tensor((512,)), SMALL) if codec.carries == "tensor" else (picture(224, 224), "input")
        good = wire.pack(frame_of(codec, array, split_point=point, fingerprint=model.fingerprint))
        start = data.draw(st.integers(0, len(good)))
        length = data.draw(st.integers(0, 8))
        body = good[:start] + data.draw(st.binary(max_size=8)) + good[start + length :]
        body = with_right_crc(body) if data.draw(st.booleans()) else body
    try:
        work = read_frame(body, model, partition)
    except RequestError:
        return
    check_work(work, partition)
