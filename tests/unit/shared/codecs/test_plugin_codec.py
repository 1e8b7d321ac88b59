"""The codec of another package in its wrapper: what travels, and what it is held to."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from kits.codecs import changed
from kits.plugins import Entry, Halves, Inverted, Package, install, raising, variant

from shared.codecs import decode_frame, encode_frame, known_codecs, make_codec
from shared.codecs.plugin import IDS, PluginCodec, name_in
from shared.errors import CodecError, ContentError, LimitError, SettingsError
from shared.limits import MAX_CODEC_NAME_BYTES, MAX_PARAMS_BYTES
from shared.wire import frame as wire

if TYPE_CHECKING:
    from shared.codecs.registry import Plugins

FIELDS = {"split_point": "layer1", "fingerprint": bytes(8), "frame_id": 1}
ARRAY = np.arange(6, dtype=np.float32).reshape(2, 3)


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Plugins:
    return install(monkeypatch, Entry("halves", Halves, dist=Package()), Entry("inverted", Inverted()))


# --- what travels -----------------------------------------------------------------------------------------------------


def test_the_name_travels_before_the_codecs_own_parameters(installed: Plugins) -> None:
    frame = encode_frame([ARRAY], make_codec("halves"), **FIELDS)
    assert (frame.tensors[0].codec_id, frame.tensors[0].params) == (200, b"\x06halves\x02")
    page = Path(wire.__file__).with_name("WIRE.md").read_text(encoding="utf-8")
    assert f"## Codecs of other packages (ids {IDS[0]}–{IDS[-1]})" in page
    assert f"| 1 | length n of the name, 1 to {MAX_CODEC_NAME_BYTES} |" in page


def test_a_side_without_the_codec_refuses_it_by_name(installed: Plugins, monkeypatch: Any) -> None:
    frame = encode_frame([ARRAY], make_codec("halves"), **FIELDS)
    install(monkeypatch)
    with pytest.raises(
        CodecError, match=r"unknown codec 'halves' \(id 200\); known: float32, .*webp"
    ) as refusal:
        decode_frame(frame)
    assert refusal.value.accepted[5] == "int8"


def test_another_codec_of_the_same_id_does_not_decode_the_frame(installed: Plugins, monkeypatch: Any) -> None:
    frame = encode_frame([ARRAY], make_codec("halves"), **FIELDS)
    other = variant(name="others", decode=lambda *_: pytest.fail("decoded a frame of another codec"))
    install(monkeypatch, Entry("others", other))
    with pytest.raises(CodecError, match=r"unknown codec 'halves' \(id 200\)") as refusal:
        decode_frame(frame)
    assert refusal.value.accepted[200] == "others"


def test_parameters_that_do_not_begin_with_a_name_are_refused(installed: Plugins) -> None:
    frame = encode_frame([ARRAY], make_codec("halves"), **FIELDS)
    for params in (b"", b"\0", b"\6halve", b"\1\xff", b"\x41" + bytes(65), b"\6"):
        assert name_in(params) is None, params
        with pytest.raises(CodecError, match="unknown codec id 200"):
            decode_frame(changed(frame, params=params))
    with pytest.raises(CodecError, match="unknown codec 'halve'"):
        decode_frame(changed(frame, params=b"\5halves\2"))
    with pytest.raises(ContentError, match="do not begin with the codec's name, halves"):
        make_codec("halves").decode(b"\5halves\2", frame.tensors[0].payload, (2, 3))


def test_name_and_parameters_share_one_limit() -> None:
    most = MAX_PARAMS_BYTES - len(b"\6halves")
    for size in (most, most + 1):
        codec = PluginCodec(variant(encode=lambda *_, size=size: (bytes(size), b""))())
        frame = encode_frame([ARRAY], codec, **FIELDS)
        if size == most:
            assert len(wire.unpack(wire.pack(frame)).tensors[0].params) == MAX_PARAMS_BYTES
        else:
            with pytest.raises(LimitError, match="parameters of 4097 bytes"):
                wire.pack(frame)


@pytest.mark.parametrize(
    ("made", "text"),
    [
        (raising(OSError("no room")), "OSError: no room"),
        (lambda *_, **__: None, "it gives a NoneType"),
        (lambda *_, **__: variant(name="others")(), r"it becomes others \(id 200\)"),
        (lambda *_, **__: variant(id=201)(), r"it becomes halves \(id 201\)"),
    ],
)
def test_a_codec_that_becomes_another_is_refused_by_its_name(made: Any, text: str, monkeypatch: Any) -> None:
    install(monkeypatch, Entry("halves", variant(with_options=made, for_stream=made)))
    with pytest.raises(SettingsError, match=f"the codec halves cannot be used: .*{text}"):
        make_codec("halves")
    with pytest.raises(SettingsError, match=f"the codec halves cannot be used: .*{text}"):
        known_codecs()["halves"].for_stream()


# --- what a codec is held to ------------------------------------------------------------------------------------------


class MuteError(Exception):
    """One whose text cannot be had."""

    def __str__(self) -> str:
        raise ValueError("no text")


@pytest.mark.parametrize(
    "error",
    [KeyError("x"), MemoryError(), RecursionError("deep"), AssertionError(), SystemExit(3), MuteError()],
    ids=lambda error: type(error).__name__,
)
def test_whatever_a_codec_raises_refuses_one_frame(error: BaseException) -> None:
    """An exit as well: on the event loop of a cloud it would end the process for everybody."""
    codec = PluginCodec(variant(encode=raising(error), decode=raising(error))())
    with pytest.raises(ContentError, match=f"the codec halves cannot encode: {type(error).__name__}"):
        codec.encode(ARRAY)
    with pytest.raises(ContentError, match=f"the codec halves cannot decode: {type(error).__name__}"):
        codec.decode(b"\6halves", b"", (2, 3))


def test_a_codec_cannot_change_what_it_is_given() -> None:
    """The edge answers a frame itself, from the same array, if the cloud does not."""

    def encode(_codec: object, array: np.ndarray) -> Any:
        array[0] = 7

    array = ARRAY.copy()
    with pytest.raises(ContentError, match="cannot encode: ValueError: assignment destination is read-only"):
        PluginCodec(variant(encode=encode)()).encode(array)
    np.testing.assert_array_equal(array, ARRAY)
    assert array.flags.writeable


def test_what_a_codec_refuses_by_itself_stays_as_it_said() -> None:
    error = CodecError("not this one", accepted=[1])
    codec = PluginCodec(variant(encode=raising(error), decode=raising(error))())
    for call in (lambda: codec.encode(ARRAY), lambda: codec.decode(b"\6halves", b"", (2, 3))):
        with pytest.raises(CodecError, match="not this one") as refusal:
            call()
        assert refusal.value is error


@pytest.mark.parametrize("accepted", [{1, 2}, b"bytes", np.int64(3), {(1, 2): 3}], ids=repr)
def test_what_no_refusal_can_say_is_left_out_of_it(accepted: Any) -> None:
    """A refusal is JSON: one that could not be written would be an answer without a body."""
    error = ContentError("not this one", accepted=accepted)
    codec = PluginCodec(variant(encode=raising(error), decode=raising(error))())
    for call in (lambda: codec.encode(ARRAY), lambda: codec.decode(b"\6halves", b"", (2, 3))):
        error.accepted = accepted
        with pytest.raises(ContentError, match="not this one") as refusal:
            call()
        assert refusal.value.accepted is None


@pytest.mark.parametrize(
    "encoded", [None, (b"", b"", b""), ("text", b""), b"three", (3, b""), (b"", 10**12)], ids=repr
)
def test_what_is_not_parameters_and_payload_is_refused(encoded: Any) -> None:
    with pytest.raises(ContentError, match="the codec halves cannot encode"):
        PluginCodec(variant(encode=lambda *_: encoded)()).encode(ARRAY)


@pytest.mark.parametrize(
    ("carries", "decoded", "text"),
    [
        ("tensor", None, "NoneType"),
        ("tensor", [[0.0] * 3] * 2, "list"),
        ("tensor", ARRAY.T, r"float32 of shape \(3, 2\), not float32 of shape \(2, 3\)"),
        ("tensor", ARRAY.astype(np.float64), "float64 of shape"),
        ("tensor", ARRAY.astype(">f4"), ">f4 of shape"),
        ("tensor", ARRAY * np.float32(np.nan), "NaN or infinity"),
        ("tensor", np.full((2, 3), np.inf, np.float32), "NaN or infinity"),
        ("picture", ARRAY, "float32 of shape .*, not uint8"),
    ],
)
def test_what_is_not_the_declared_array_is_refused(carries: str, decoded: Any, text: str) -> None:
    codec = PluginCodec(variant(carries=carries, decode=lambda *_: decoded)())
    with pytest.raises(ContentError, match=text):
        codec.decode(b"\6halves", b"", (2, 3))
