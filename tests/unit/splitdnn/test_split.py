"""A split network, step by step: head, encode, decode, tail, and the two halves of the way."""

from __future__ import annotations

import numpy as np
import pytest
from kits.codecs import changed

from shared.codecs import encode_frame, make_codec
from splitdnn import (
    CodecError,
    ContentError,
    FingerprintError,
    SettingsError,
    ShapeError,
    SplitPointError,
    WireError,
    pack,
)


@pytest.fixture(scope="module")
def split(network):
    return network.split("layer2", "float32")


def test_head_then_tail_is_the_whole_network(network, picture):
    tensor = network.prepare(picture)
    batch = np.concatenate([tensor, tensor[:, :, ::-1]])
    (whole,) = network.whole(batch)
    for point in (network.points[0], *network.stage_ends(), network.points[-1]):
        split = network.split(point)
        crossing = split.head(batch)
        assert [(each.shape, each.dtype) for each in crossing] == [((2, *point.shape), np.float32)], (
            point.name
        )
        (outputs,) = split.tail(crossing)
        np.testing.assert_allclose(outputs, whole, rtol=1e-4, atol=1e-4, err_msg=point.name)


def test_step_by_step_is_the_same_as_by_halves(network, split, picture):
    tensor = split.prepare(picture)
    crossing = split.head(tensor)
    frame = split.encode(crossing, frame_id=7)
    (sent,) = frame.tensors
    assert (frame.split_point, sent.codec_id, sent.shape) == ("layer2", 1, (128, 28, 28))
    assert (frame.fingerprint, frame.frame_id) == (network.fingerprint, 7)
    decoded = split.decode(frame)
    np.testing.assert_array_equal(decoded[0], crossing[0])
    answer = split.answer(split.tail(decoded))
    assert answer == split.answer(split.whole(tensor))
    assert split.to_frame(picture, frame_id=7) == frame
    assert split.answer_frame(frame) == answer
    assert split.answer_frame(pack(frame), top=1).top == answer.top[:1]


def test_the_default_is_the_default_point_and_int8(network):
    split = network.split()
    assert split.point == network.default_point
    assert split.codec.name == "int8+zstd"


def test_frames_are_numbered(split, picture):
    crossing = split.head(split.prepare(picture))
    first, second = (split.encode(crossing).frame_id for _ in range(2))
    assert second == first + 1
    assert first < 1 << 64


def test_pictures_travel_at_input(network, picture):
    for codec in (None, "png", "webp:quality=80", "h264"):
        split = network.split("input", codec)
        frame = split.to_frame(picture)
        assert frame.tensors[0].shape == (224, 224, 3)
        (tensor,) = split.decode(frame)
        assert (tensor.shape, tensor.dtype) == ((1, 3, 224, 224), np.float32)
        if codec == "png":
            np.testing.assert_array_equal(tensor, split.prepare(picture))
        with pytest.raises(CodecError, match=r"carries pictures, not tensors: call to_frame"):
            split.encode(split.head(split.prepare(picture)))


def test_a_picture_of_the_cameras_size_is_resized(network, picture):
    frame = encode_frame(
        [picture], make_codec("png"), split_point="input", fingerprint=network.fingerprint, frame_id=0
    )
    (tensor,) = network.split("input").decode(frame)
    np.testing.assert_array_equal(tensor, network.prepare(picture))


def test_nothing_travels_at_output(network, picture):
    split = network.split("output")
    assert split.codec is None
    crossing = split.head(split.prepare(picture))
    assert split.tail(crossing) is crossing
    for call in (lambda: split.encode(crossing), lambda: split.to_frame(picture)):
        with pytest.raises(CodecError, match="nothing travels at output"):
            call()


def test_a_codec_that_does_not_fit_is_refused(network):
    with pytest.raises(SettingsError, match="did you mean int8"):
        network.split("layer2", "int88")
    with pytest.raises(SettingsError, match="carries pictures"):
        network.split("layer2", "jpeg")
    with pytest.raises(SettingsError, match="not for input"):
        network.split("input", "calibrated")


def test_shapes_are_checked(split):
    good = np.zeros((2, 128, 28, 28), np.float32)
    for wrong in (good, (good, good), (), [good], (good.astype(np.float64),), (good[:, 1:],)):
        for call in (split.tail, split.encode):
            with pytest.raises(ShapeError):
                call(wrong)
    with pytest.raises(ShapeError, match=r"layer2 takes \(1, 128, 28, 28\) float32"):
        split.encode((good,))
    with pytest.raises(ShapeError, match=r"the head takes \(B, 3, 224, 224\) float32"):
        split.head(good)


def test_values_that_are_not_finite_are_refused(split):
    with pytest.raises(ContentError, match="NaN or infinity"):
        split.encode((np.full((1, 128, 28, 28), np.inf, np.float32),))


def test_what_is_no_frame_of_this_network_is_refused(network, split, picture):
    frame = split.to_frame(picture)
    for error, change in (
        (FingerprintError, {"fingerprint": b"another."}),
        (SplitPointError, {"split_point": "layer9"}),
        (ShapeError, {"shape": (128, 28, 27)}),
        (CodecError, {"codec_id": 199}),
        (ContentError, {"payload": frame.tensors[0].payload[:-1]}),
    ):
        with pytest.raises(error):
            split.decode(changed(frame, **change))
    with pytest.raises(ShapeError, match="crossed at layer3, and this network is cut at layer2"):
        split.decode(network.split("layer3").to_frame(picture))
    with pytest.raises(WireError):
        split.decode(b"no frame")
