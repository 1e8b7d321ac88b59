"""Several tensors in one frame: each codec per tensor, errors that say which, and a stream for each."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import pytest
from kits.codecs import PICTURE_CODECS, TENSOR_CODECS, picture
from kits.example_package import PACKAGE
from kits.naming import naming
from kits.plugins import Entry, Halves, install, raising, variant
from kits.several import FIELDS, frame_of_several, mixed, tensors

from shared import limits
from shared.codecs import NAMES, Codec, Encoded, decode_frame, encode_frame, make_codec
from shared.codecs.coding import codecs_of
from shared.errors import CodecError, ContentError, LimitError, WireError
from shared.wire import frame as wire


def test_each_tensor_is_what_it_would_be_alone() -> None:
    for codec in TENSOR_CODECS:
        frame = wire.unpack(wire.pack(frame_of_several(codec)))
        for array, sent, found in zip(tensors(), frame.tensors, decode_frame(frame), strict=True):
            alone = codec.encode(array)
            assert (sent.codec_id, sent.params, bytes(sent.payload)) == (codec.id, *alone), codec.name
            np.testing.assert_array_equal(found, codec.decode(*alone, array.shape))


def test_tensors_of_several_codecs_are_decoded_each_by_its_own() -> None:
    frame = mixed()
    assert [codec.name for codec in codecs_of(frame)] == [codec.name for codec in TENSOR_CODECS]
    for sent, codec, array in zip(frame.tensors, TENSOR_CODECS, decode_frame(frame), strict=True):
        np.testing.assert_array_equal(array, codec.decode(sent.params, sent.payload, sent.shape))


def test_encode_refuses_what_no_frame_of_several_can_hold() -> None:
    seven = [np.zeros(2, np.float32)] * 7
    for crossing, error, text in [
        ([], WireError, "a crossing of 0 tensors"),
        (seven, LimitError, "a crossing of 7 tensors"),
        ([seven[0], np.zeros((2, 0), np.float32)], ContentError, r"shape \(2, 0\) is not a tensor's"),
        ([np.broadcast_to(np.float32(0), (2049, 4096))] * 2, LimitError, "have 16785408 elements"),
        ([seven[0], np.full(2, np.nan, np.float32)], ContentError, "tensor 1 of 2: the tensor holds NaN"),
    ]:
        with naming(text), pytest.raises(error, match=text):
            encode_frame(crossing, NAMES["int8"], **FIELDS)
    for codec in PICTURE_CODECS:
        with naming(codec.name), pytest.raises(CodecError, match="a picture travels alone"):
            encode_frame([picture(), picture()], codec, **FIELDS)


def test_the_payloads_limit_is_for_their_sum(monkeypatch: pytest.MonkeyPatch) -> None:
    most = sum(array.nbytes for array in tensors())
    monkeypatch.setattr(limits, "MAX_PAYLOAD_BYTES", most)
    frame_of_several(NAMES["float32"])
    monkeypatch.setattr(limits, "MAX_PAYLOAD_BYTES", most - 1)
    with pytest.raises(LimitError, match=f"payload of {most} bytes"):
        frame_of_several(NAMES["float32"])


# --- codecs of other packages -----------------------------------------------------------------------------------------


def test_the_example_package_carries_several(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(PACKAGE)
    install(monkeypatch, Entry("bfloat16", importlib.import_module("splitdnn_bfloat16").BFloat16))
    stream = make_codec("bfloat16").for_stream()
    frame = wire.unpack(wire.pack(frame_of_several(stream)))
    assert {(sent.codec_id, sent.params) for sent in frame.tensors} == {(200, b"\x08bfloat16")}
    for array, found in zip(tensors(), decode_frame(frame), strict=True):
        np.testing.assert_allclose(found, array, rtol=2**-7)
    assert all(stream.of_tensor(number) is stream for number in range(6))


class Remembering(Halves):
    """Its parameters say how many tensors its stream has encoded before, and of which sizes."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[int] = []

    def with_options(self, **options: int) -> Codec:
        del options
        return self

    def for_stream(self) -> Codec:
        return Remembering()

    def encode(self, array: np.ndarray) -> Encoded:
        self.sizes.append(array.size)
        return Encoded(bytes(self.sizes), b"")


def test_a_codec_with_memory_has_a_stream_for_each_tensor(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it remembers of one tensor says nothing about another."""
    install(monkeypatch, Entry("halves", Remembering))
    codec = make_codec("halves")
    for stream in (codec.for_stream(), codec.for_stream()):
        for count in (1, 2, 3):
            frame = frame_of_several(stream)
            found = [sent.params.removeprefix(b"\6halves") for sent in frame.tensors]
            assert found == [bytes([60] * count), bytes([8] * count), bytes([7] * count)]


def itself(**attributes: Any) -> type[Codec]:
    """A variant that stays one whatever options it is given."""
    return variant(with_options=lambda codec, **_: codec, **attributes)


def test_a_codec_may_say_itself_what_encodes_a_tensor(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, Entry("halves", itself(of_tensor=lambda _codec, number: Halves(number + 1))))
    frame = frame_of_several(make_codec("halves").for_stream())
    assert [sent.params[-1] for sent in frame.tensors] == [1, 2, 3]


@pytest.mark.parametrize(
    ("of_tensor", "text"),
    [
        (raising(KeyError("level 2")), "the codec halves cannot be used: KeyError: 'level 2'"),
        (raising(SystemExit(3)), "the codec halves cannot be used: SystemExit: 3"),
        (lambda *_: None, "the codec halves cannot be used: ValueError: it gives a NoneType"),
        (lambda *_: variant(id=201)(), r"the codec halves cannot be used: it becomes halves \(id 201\)"),
    ],
)
def test_whatever_it_gives_for_a_tensor_refuses_one_frame(
    of_tensor: Any, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch, Entry("halves", itself(of_tensor=of_tensor)))
    with pytest.raises(ContentError, match=f"tensor 0 of 3: {text}"):
        frame_of_several(make_codec("halves"))


class ForeignError(ContentError):
    """An error of another package, whose class takes other arguments."""

    def __init__(self, number: int) -> None:
        super().__init__(f"number {number}")


def test_an_error_of_another_package_says_which_tensor_too(monkeypatch: pytest.MonkeyPatch) -> None:
    error = ForeignError(3)
    install(monkeypatch, Entry("halves", itself(encode=raising(error))))
    for _ in range(2):
        with pytest.raises(ContentError, match=r"^tensor 0 of 3: number 3$"):
            frame_of_several(make_codec("halves"))
    assert str(error) == "number 3"
