"""Crossings of several tensors, in frames and in JSON: what a tail is given, and what is refused in which words."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from kits.codecs import PICTURE_CODECS, TENSOR_CODECS, changed, frame_of, picture, with_right_crc
from kits.naming import naming
from kits.numpy_network import PYRAMID, write_bundle
from kits.reading import damaged
from kits.several import frame_of_several, tensors
from kits.work import MAX_TENSORS, check_work

from cloud.bodies.frames import read_frame, read_json
from shared.codecs import NAMES, decode_frame
from shared.errors import CodecError, ContentError, LimitError, RequestError, ShapeError
from shared.limits import MAX_ELEMENTS
from shared.wire import frame as wire

if TYPE_CHECKING:
    from cloud.bodies.frames import Work
    from shared.network.bundle import Bundle

CROSSING = tensors(PYRAMID)
SHAPE = [list(shape) for shape in PYRAMID]
NAN = np.float32("nan")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return write_bundle(tmp_path_factory.mktemp("several"), pyramid=PYRAMID)


def framed(bundle: Bundle, codec: str = "float32", crossing: Any = CROSSING, **fields: Any) -> wire.Frame:
    given = {"split_point": "pyramid", "fingerprint": bundle.model.fingerprint} | fields
    return frame_of_several(NAMES[codec], crossing, **given)


def read(bundle: Bundle, frame: wire.Frame) -> Work:
    return read_frame(wire.pack(frame), bundle.model, bundle.partition)


def test_a_frame_becomes_the_tensors_that_its_codecs_give_back(bundle: Bundle) -> None:
    for codec in TENSOR_CODECS:
        frame = framed(bundle, codec.name, frame_id=2**64 - 1)
        work = read(bundle, frame)
        check_work(work, bundle.partition)
        for array, expected in zip(work.crossing, decode_frame(frame), strict=True):
            np.testing.assert_array_equal(array[0], expected)
        assert (work.split_point, work.frame_id, work.deadline_ms) == ("pyramid", 2**64 - 1, 500)
        assert (work.codec, work.payload_bytes) == (codec.name, sum(len(t.payload) for t in frame.tensors))


def test_each_tensor_may_have_a_codec_of_its_own(bundle: Bundle) -> None:
    whole, small = framed(bundle), framed(bundle, "int8+zstd")
    mixed = wire.Frame(whole.split_point, (whole.tensors[0], *small.tensors[1:]), whole.fingerprint, 1, 0, 0)
    work = read(bundle, mixed)
    check_work(work, bundle.partition)
    np.testing.assert_array_equal(work.crossing[0][0], CROSSING[0])
    assert np.abs(work.crossing[2][0] - CROSSING[2]).max() < 0.05


def test_what_does_not_cross_there_is_refused_by_name_before_it_is_decoded(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(NAMES["float32"]), "decode", lambda *_: pytest.fail("decoded"))
    other = [CROSSING[0], CROSSING[1][:, :3], CROSSING[2]]
    for crossing, text in [
        (CROSSING[:1], "at pyramid 3 tensors cross, not 1"),
        (CROSSING[:2], "at pyramid 3 tensors cross, not 2"),
        ([*CROSSING, CROSSING[2]], "at pyramid 3 tensors cross, not 4"),
        (CROSSING[::-1], r"at pyramid as tensor 0 of 3 one of shape \(128, 14, 14\) crosses, not \(512\)"),
        (other, r"as tensor 1 of 3 one of shape \(512, 4, 4\) crosses, not \(512, 3, 4\)"),
    ]:
        with naming(text), pytest.raises(ShapeError, match=text) as refused:
            read(bundle, framed(bundle, crossing=crossing))
        assert refused.value.accepted == {"shape": SHAPE}
    with pytest.raises(ShapeError, match="at layer4 1 tensor crosses, not 3") as refused:
        read(bundle, framed(bundle, split_point="layer4"))
    assert refused.value.accepted == {"shape": [512, 7, 7]}


def test_an_error_says_which_tensor_it_is_about(bundle: Bundle) -> None:
    frame = framed(bundle)
    spoilt = CROSSING[1].copy()
    spoilt[3, 2, 1] = NAN
    for changes, error, text in [
        ({"payload": spoilt.tobytes()}, ContentError, "tensor 1 of 3: the tensor holds NaN or infinity"),
        ({"payload": b"short"}, ContentError, "tensor 1 of 3: float32 of shape .* the frame brings 5"),
        ({"codec_id": 2}, ContentError, "tensor 1 of 3: float32.zstd: not a Zstandard frame"),
        ({"codec_id": 999}, CodecError, "unknown codec id 999"),
        ({"codec_id": 16}, CodecError, "calibrated is for all tensors of a frame or for none"),
    ]:
        with naming(text), pytest.raises(error, match=text):
            read(bundle, changed(frame, 1, **changes))
    with pytest.raises(ContentError, match="tensor 1 of 3: the tensor holds NaN"):
        framed(bundle, crossing=[CROSSING[0], spoilt, CROSSING[2]])


def test_a_picture_travels_alone(bundle: Bundle) -> None:
    for codec in PICTURE_CODECS:
        sent = frame_of(codec, picture(224, 224)).tensors[0]
        frame = framed(bundle, split_point="input", crossing=CROSSING[:2])
        for tensors_ in ((sent, sent), (sent, frame.tensors[1]), (frame.tensors[0], sent)):
            with naming(codec.name), pytest.raises(CodecError, match="a picture travels alone"):
                read(bundle, wire.Frame("input", tensors_, frame.fingerprint, 1, 0, 0))
        with naming(codec.name), pytest.raises(CodecError, match="a picture travels alone"):
            framed(bundle, codec.name, crossing=[picture(), picture()])


def test_a_sum_above_the_limit_is_refused(bundle: Bundle) -> None:
    row = wire.TENSOR.pack(1, 2, 0, 2100, 4096, 0, 0, 0, 0)
    frame = framed(bundle)
    head = bytearray(wire.pack(frame)[: wire.HEADER_2.size])
    head[5] = 2
    with pytest.raises(LimitError, match="17203200 elements") as refused:
        read_frame(with_right_crc(bytes(head) + 2 * row + b"pyramid"), bundle.model, bundle.partition)
    assert refused.value.accepted == {"max_elements": MAX_ELEMENTS}


def test_a_damaged_frame_is_work_or_refused(bundle: Bundle) -> None:
    """At every byte of header and table."""
    good = wire.pack(framed(bundle))
    for position in range(wire.HEADER_2.size + 3 * wire.TENSOR.size + 8):
        for kind, amount in (("flip", 0), ("flip", 7), ("set", 5), ("cut", 0), ("double", 0)):
            body = with_right_crc(damaged(good, [(kind, position, amount, b"")]))
            try:
                work = read_frame(body, bundle.model, bundle.partition)
            except RequestError:
                continue
            check_work(work, bundle.partition)


# --- JSON -------------------------------------------------------------------------------------------------------------


def said(bundle: Bundle, data: Any, **fields: Any) -> Work:
    body = json.dumps({"data": data, "split_point": "pyramid"} | fields).encode()
    shapes = {point.name: point.shapes for point in bundle.partition.points.values()}
    return read_json(body, shapes, "layer3", MAX_TENSORS)


def listed(count: int = 1) -> list[Any]:
    return [np.repeat(array[None], count, 0).tolist() for array in CROSSING]


def test_json_holds_the_tensors_in_order(bundle: Bundle) -> None:
    for count in (1, MAX_TENSORS):
        work = said(bundle, listed(count), count=12)
        check_work(work, bundle.partition)
        for array, expected in zip(work.crossing, CROSSING, strict=True):
            np.testing.assert_array_equal(array, np.repeat(expected[None], count, 0))
        assert (work.split_point, work.count, work.codec) == ("pyramid", 12, None)


def test_json_that_no_tail_can_take_is_refused_by_name(bundle: Bundle) -> None:
    good = listed()
    spoilt = [good[0], [[[[1e39] * 4] * 4] * 512], good[2]]
    accepted = {"shape": [["n", *shape] for shape in PYRAMID]}
    for data, error, text, expected in [
        (good[:2], ShapeError, 'so "data" is a list of 3 arrays, not a list of 2', accepted),
        ([*good, good[2]], ShapeError, "not a list of 4", accepted),
        (good[0], ShapeError, "not a list of 1", accepted),
        ({"0": good[0]}, ShapeError, "not a JSON object", accepted),
        (None, ShapeError, "not JSON's null", accepted),
        ([1, 2, 3], ShapeError, r"as tensor 0 of 3 one of shape \(128, 14, 14\) crosses, not \(\)", {"shape": SHAPE}),
        ([good[0], good[1], [["a"] * 512]], ShapeError, 'tensor 2 of 3 in "data" is not a rectangular', accepted),
        ([good[0], good[2], good[1]], ShapeError, r"as tensor 1 of 3 .* not \(512\)", {"shape": SHAPE}),
        ([*good[:2], 2 * good[2]], ShapeError, 'the tensors in "data" are of 1, 1, 2 frames', accepted),
        (listed(5), LimitError, "5 tensors in one request", {"tensors": "1 to 4"}),
        (spoilt, ContentError, 'tensor 1 of 3 in "data" holds NaN, infinity', None),
    ]:  # fmt: skip
        with naming(text), pytest.raises(error, match=text) as refused:
            said(bundle, data)
        assert (type(refused.value), refused.value.accepted) == (error, expected), text
