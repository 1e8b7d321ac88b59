"""Frame <-> bytes: the round trip, one test for every way a frame can lie, and the invariant over all bytes."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import zstandard
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from kits.codecs import (
    FINGERPRINT,
    PICTURE_CODECS,
    TENSOR_CODECS,
    forge,
    frame_of,
    name_of,
    picture,
    png_chunk,
    png_file,
    riff,
    sample,
    tensor,
    webp_of_size,
    with_right_crc,
)
from PIL import Image

from shared import limits
from shared.codecs import CODECS, NAMES, decode_frame, encode_frame
from shared.errors import CodecError, ContentError, LimitError, WireError
from shared.limits import MAX_JPEG_SCANS
from shared.wire import frame as wire

if TYPE_CHECKING:
    from shared.codecs import Codec

every_codec = pytest.mark.parametrize("codec", [*TENSOR_CODECS, *PICTURE_CODECS], ids=name_of)
fuzz = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

MEBIBYTE = 1 << 20


def read(data: wire.Bytes) -> np.ndarray:
    """What a reader does with a body."""
    return decode_frame(wire.unpack(data))


def assert_valid_or_refused(data: wire.Bytes) -> np.ndarray | None:
    """The invariant of WIRE.md, rule 7. Anything raised but WireError fails the test by itself."""
    try:
        frame = wire.unpack(data)
        array = decode_frame(frame)
    except WireError:
        return None
    assert array.shape == frame.shape
    assert array.dtype == (np.float32 if CODECS[frame.codec_id].carries == "tensor" else np.uint8)
    assert np.isfinite(array).all()
    return array


# --- the round trip ---------------------------------------------------------------------------------------------------

names = st.text(st.characters(exclude_categories=["Cs"]), max_size=64).filter(
    lambda name: len(name.encode()) <= 64
)
shapes = st.lists(st.integers(1, 12), min_size=1, max_size=4).map(tuple)
frames = st.builds(
    wire.Frame,
    split_point=names,
    codec_id=st.integers(0, 0xFFFF),
    shape=shapes,
    params=st.binary(max_size=64),
    payload=st.binary(max_size=256),
    fingerprint=st.binary(min_size=8, max_size=8),
    frame_id=st.integers(0, 2**64 - 1),
    capture_time_ns=st.integers(0, 2**64 - 1),
    deadline_ms=st.integers(0, 2**32 - 1),
)


@fuzz
@given(frames)
def test_every_field_comes_back_as_it_was_packed(frame: wire.Frame) -> None:
    assert wire.unpack(wire.pack(frame)) == frame


@every_codec
@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_a_frame_of_every_codec_is_read_from_any_kind_of_bytes(codec: Codec, kind: type) -> None:
    frame = frame_of(codec)
    there = read(kind(wire.pack(frame)))
    assert np.array_equal(there, decode_frame(frame))
    assert there.shape == sample(codec).shape


def test_a_name_and_parameters_may_be_as_long_as_their_limits() -> None:
    frame = frame_of(NAMES["float32"], split_point="é" * 32, params=bytes(limits.MAX_PARAMS_BYTES))
    assert wire.unpack(wire.pack(frame)) == frame


def test_the_payload_is_not_copied_when_it_is_read() -> None:
    data = bytearray(wire.pack(frame_of(NAMES["float32"])))
    frame = wire.unpack(data)
    data[-1] ^= 0xFF
    assert bytes(frame.payload)[-1] == data[-1]


def test_encode_notes_who_sends_what_from_where() -> None:
    array = tensor((2, 3))
    frame = encode_frame(
        array, NAMES["float32"], split_point="layer1.0", fingerprint=FINGERPRINT, frame_id=9, capture_time_ns=11,
        deadline_ms=13,
    )  # fmt: skip
    assert frame == wire.Frame("layer1.0", 1, (2, 3), b"", array.tobytes(), FINGERPRINT, 9, 11, 13)


# --- what a sender may not send ---------------------------------------------------------------------------------------


@every_codec
@pytest.mark.parametrize("shape", [(), (0,), (3, 0, 2), (1, 1, 1, 1, 3), (0x10000,)], ids=str)
def test_encode_refuses_what_no_frame_can_hold(codec: Codec, shape: tuple[int, ...]) -> None:
    array = np.zeros(shape, dtype=np.float32 if codec.carries == "tensor" else np.uint8)
    with pytest.raises(ContentError, match="1 to 4 dimensions"):
        encode_frame(array, codec, split_point="a", fingerprint=FINGERPRINT, frame_id=1)


def test_encode_refuses_too_many_elements() -> None:
    with pytest.raises(LimitError, match=str(limits.MAX_ELEMENTS + 4096)) as refusal:
        frame_of(NAMES["int8"], np.broadcast_to(np.float32(0), (4097, 4096)))
    assert refusal.value.accepted == {"max_elements": limits.MAX_ELEMENTS}


def test_encode_refuses_a_payload_above_its_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_PAYLOAD_BYTES", 239)
    with pytest.raises(LimitError, match="payload of 240 bytes"):
        frame_of(NAMES["float32"])


def test_pack_refuses_what_unpack_would() -> None:
    for changes, expected in [
        ({"split_point": "x" * 65}, "split point name of 65 bytes"),
        ({"params": bytes(4097)}, "parameters of 4097 bytes"),
        ({"payload": memoryview(bytes(limits.MAX_PAYLOAD_BYTES + 1))}, "payload of 67108865 bytes"),
        ({"shape": (2, 0)}, "not a tensor's"),
    ]:
        with pytest.raises(WireError, match=expected):
            wire.pack(frame_of(NAMES["float32"], **changes))


# --- one test per lie -------------------------------------------------------------------------------------------------


def test_the_hand_made_frame_that_the_lies_start_from_is_true() -> None:
    assert read(forge()).tolist() == [1.5]


@pytest.mark.parametrize("length", [0, 1, wire.HEADER.size - 1])
def test_fewer_bytes_than_a_header_are_no_frame(length: int) -> None:
    with pytest.raises(WireError, match=f"header of 56 bytes, these are {length}"):
        wire.unpack(forge()[:length])


def test_foreign_magic_is_refused() -> None:
    with pytest.raises(WireError, match="starts with b'SDNF', these bytes with b'PK"):
        wire.unpack(forge(magic=b"PK\3\4"))


@pytest.mark.parametrize("version", [0, 2, 255])
def test_another_version_is_refused_with_those_that_are_spoken(version: int) -> None:
    with pytest.raises(WireError, match=f"version {version} ") as refusal:
        wire.unpack(forge(version=version))
    assert refusal.value.accepted == {"versions": [1]}


@pytest.mark.parametrize(
    ("field", "value", "what", "limit"),
    [
        ("name_length", 65, "split point name", limits.MAX_SPLIT_POINT_BYTES),
        ("params_length", 4097, "parameters", limits.MAX_PARAMS_BYTES),
        ("payload_length", 0xFFFFFFFF, "payload", limits.MAX_PAYLOAD_BYTES),
    ],
)
def test_a_length_above_its_limit_is_refused_before_the_bytes_are_counted(
    field: str, value: int, what: str, limit: int
) -> None:
    with pytest.raises(LimitError, match=f"{what} of {value} bytes is above the limit of {limit}") as refusal:
        wire.unpack(forge(**{field: value}))
    assert refusal.value.accepted == {"max_bytes": limit}


@pytest.mark.parametrize("field", ["name_length", "params_length", "payload_length"])
def test_a_length_that_promises_more_than_there_is_is_refused(field: str) -> None:
    with pytest.raises(WireError, match="declares a frame of"):
        wire.unpack(forge(**{field: 64}))


def test_a_frame_cut_short_is_refused() -> None:
    with pytest.raises(WireError, match="declares a frame of 61 bytes, these are 60"):
        wire.unpack(with_right_crc(forge()[:-1]))


def test_a_byte_after_the_frame_is_refused() -> None:
    with pytest.raises(WireError, match="declares a frame of 61 bytes, these are 62"):
        wire.unpack(with_right_crc(forge() + b"\0"))


def test_any_flipped_bit_is_noticed() -> None:
    data = forge()
    for position in range(len(data)):
        damaged = bytearray(data)
        damaged[position] ^= 0x10
        with pytest.raises(WireError):
            wire.unpack(damaged)


def test_a_wrong_crc_is_refused() -> None:
    with pytest.raises(WireError, match="CRC"):
        wire.unpack(forge(crc=zlib.crc32(b"something else")))


def test_a_reserved_bit_is_refused() -> None:
    with pytest.raises(WireError, match="reserved bits are set \\(0x80\\)"):
        wire.unpack(forge(reserved=0x80))


@pytest.mark.parametrize("rank", [0, 5, 255])
def test_a_rank_that_is_not_a_tensors_is_refused(rank: int) -> None:
    with pytest.raises(WireError, match=f"rank {rank} "):
        wire.unpack(forge(rank=rank))


def test_a_dimension_beyond_the_rank_is_refused() -> None:
    with pytest.raises(WireError, match="more than 1 dimensions"):
        wire.unpack(forge(shape=(1, 0, 0, 1)))


def test_a_zero_dimension_is_refused() -> None:
    with pytest.raises(ContentError, match="not a tensor's"):
        wire.unpack(forge(rank=3, shape=(1, 0, 1, 0)))


def test_too_many_elements_are_refused() -> None:
    with pytest.raises(LimitError, match="elements") as refusal:
        wire.unpack(forge(rank=4, shape=(0xFFFF,) * 4))
    assert refusal.value.accepted == {"max_elements": limits.MAX_ELEMENTS}


def test_a_name_that_is_not_utf8_is_refused() -> None:
    with pytest.raises(WireError, match="UTF-8"):
        wire.unpack(forge(sections=b"\xff" + bytes(4)))


def test_an_unknown_codec_is_refused_with_the_known_ones() -> None:
    with pytest.raises(CodecError, match="unknown codec id 4660") as refusal:
        read(forge(codec=0x1234))
    assert refusal.value.accepted == {codec.id: codec.name for codec in CODECS.values()}


@every_codec
def test_parameters_that_a_codec_does_not_have_are_refused(codec: Codec) -> None:
    frame = frame_of(codec, params=b"twelve bytes")
    with pytest.raises(ContentError, match="parameters"):
        read(wire.pack(frame))


@pytest.mark.parametrize(
    "codec", [NAMES[name] for name in ("float32", "float16", "int8", "raw")], ids=name_of
)
@pytest.mark.parametrize(
    "change", [lambda payload: payload + b"\0", lambda payload: payload[:-1]], ids=["+1", "-1"]
)
def test_a_payload_of_another_size_than_the_shapes_is_refused(codec: Codec, change) -> None:
    frame = frame_of(codec)
    with pytest.raises(ContentError, match="shape"):
        read(wire.pack(frame_of(codec, payload=change(frame.payload))))


@pytest.mark.parametrize("shape", [(8, 8), (64, 3), (3, 8, 8), (8, 8, 4), (1, 8, 8, 3)], ids=str)
@pytest.mark.parametrize("codec", [NAMES["raw"], NAMES["png"], NAMES["jpeg"], NAMES["webp"]], ids=name_of)
def test_a_picture_of_another_shape_than_height_width_3_is_refused(
    codec: Codec, shape: tuple[int, ...]
) -> None:
    with pytest.raises(ContentError):
        read(wire.pack(frame_of(codec, shape=shape)))


# --- Zstandard as a weapon --------------------------------------------------------------------------------------------


def zstd_header(content_size: int) -> bytes:
    """The beginning of a Zstandard frame (RFC 8878, 3.1.1.1) of one segment that declares this content size."""
    return b"\x28\xb5\x2f\xfd" + b"\xe0" + struct.pack("<Q", content_size)


def zstd_frame(payload: bytes) -> bytes:
    """A float32+zstd frame of shape (2, 2), so 16 bytes, with this payload."""
    return wire.pack(frame_of(NAMES["float32+zstd"], tensor((2, 2)), payload=payload))


SIXTEEN = zstandard.compress(bytes(16))


def test_the_16_bytes_that_the_zstandard_lies_start_from_are_true() -> None:
    assert read(zstd_frame(SIXTEEN)).tolist() == [[0, 0], [0, 0]]


@pytest.mark.parametrize("size", [0, 15, 17, 1 << 40, (1 << 64) - 3])
def test_zstandard_that_declares_another_size_than_the_shape_is_refused(size: int) -> None:
    with pytest.raises(ContentError, match=r"unpacks to 16 bytes|not a Zstandard frame"):
        read(zstd_frame(zstd_header(size) + SIXTEEN[6:]))


def test_zstandard_that_declares_no_size_is_refused() -> None:
    nameless = zstandard.ZstdCompressor(write_content_size=False).compress(bytes(16))
    with pytest.raises(ContentError, match="the frame declares -1"):
        read(zstd_frame(nameless))


@pytest.mark.parametrize("actual", [0, 15, 17, 1 << 20])
def test_zstandard_that_unpacks_to_another_size_than_it_declares_is_refused(actual: int) -> None:
    honest = zstandard.ZstdCompressor(write_content_size=False).compress(bytes(actual))
    blocks = honest[6:]  # magic, descriptor and window; RFC 8878, 3.1.1
    with pytest.raises(ContentError, match="not a Zstandard frame"):
        read(zstd_frame(zstd_header(16) + blocks))


@pytest.mark.parametrize(
    "extra", [b"\0", SIXTEEN, b"\x50\x2a\x4d\x18\0\0\0\0"], ids=["byte", "frame", "skippable frame"]
)
def test_anything_after_zstandard_is_refused(extra: bytes) -> None:
    with pytest.raises(ContentError, match="unused data"):
        read(zstd_frame(SIXTEEN + extra))


@pytest.mark.parametrize("length", range(len(SIXTEEN)))
def test_zstandard_cut_short_is_refused(length: int) -> None:
    with pytest.raises(ContentError):
        read(zstd_frame(SIXTEEN[:length]))


def test_zstandard_that_needs_a_dictionary_is_refused() -> None:
    dictionary = zstandard.train_dictionary(1024, [bytes([i % 7, i % 11, i % 13] * 40) for i in range(500)])
    payload = zstandard.ZstdCompressor(dict_data=dictionary).compress(bytes(16))
    with pytest.raises(ContentError, match="not a Zstandard frame"):
        read(zstd_frame(payload))


# --- pictures as weapons ----------------------------------------------------------------------------------------------


def saved(image: Image.Image, kind: str, **options: int) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def jpeg_of_size(height: int, width: int) -> bytes:
    """A JPEG of 8x8 whose header says otherwise."""
    data = bytearray(saved(Image.fromarray(picture()), "JPEG"))
    at = data.index(b"\xff\xc0") + 5  # SOF0: marker, length, precision
    data[at : at + 4] = struct.pack(">HH", height, width)
    return bytes(data)


def scans(count: int) -> bytes:
    """A progressive JPEG of 8x8 with at least `count` scans; each costs a few bytes and a pass over the picture."""
    data = saved(Image.fromarray(picture()), "JPEG", progressive=True)
    last = data[data.rindex(b"\xff\xda") : -2]
    return data[:-2] + last * (count - data.count(b"\xff\xda")) + data[-2:]


def picture_frame(codec: str, payload: bytes, shape: tuple[int, ...] = (8, 8, 3)) -> bytes:
    return wire.pack(frame_of(NAMES[codec], payload=payload, shape=shape))


def test_the_picture_files_that_the_lies_start_from_are_true() -> None:
    assert read(picture_frame("png", png_file(8, 8))).tolist() == np.ones((8, 8, 3)).tolist()
    assert read(picture_frame("jpeg", jpeg_of_size(8, 8))).shape == (8, 8, 3)
    assert read(picture_frame("jpeg", scans(MAX_JPEG_SCANS))).shape == (8, 8, 3)


@pytest.mark.parametrize("size", [(8, 9), (9, 8), (16, 4), (60000, 60000), (1, 65500)], ids=str)
@pytest.mark.parametrize(("codec", "make"), [("png", png_file), ("jpeg", jpeg_of_size)])
def test_a_picture_whose_own_header_has_another_size_is_refused(
    codec: str, make, size: tuple[int, int]
) -> None:
    data = make(*size, rows=b"\0") if codec == "png" else make(*size)
    with pytest.raises(ContentError, match=r"the frame says|decompression bomb"):
        read(picture_frame(codec, data))


@pytest.mark.parametrize(
    ("what", "depth", "colour"), [("grey", 8, 0), ("RGBA", 8, 6), ("16 bits", 16, 2), ("palette", 8, 3)]
)
def test_a_png_that_is_not_rgb_of_8_bits_is_refused(what: str, depth: int, colour: int) -> None:
    with pytest.raises(ContentError, match="the frame says \\(8, 8, 3\\) RGB"):
        read(picture_frame("png", png_file(8, 8, depth=depth, colour=colour)))


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_a_jpeg_that_is_not_of_3_components_is_refused(mode: str) -> None:
    with pytest.raises(ContentError, match=f"{mode}.*, the frame says"):
        read(picture_frame("jpeg", saved(Image.new(mode, (8, 8)), "JPEG")))


@pytest.mark.parametrize(
    ("codec", "other"),
    [
        ("png", "JPEG"),
        ("jpeg", "PNG"),
        ("png", "GIF"),
        ("jpeg", "TIFF"),
        ("webp", "JPEG"),
        ("webp", "GIF"),
        ("jpeg", "WEBP"),
    ],
)
def test_a_picture_in_another_format_than_the_frame_says_is_refused(codec: str, other: str) -> None:
    with pytest.raises(ContentError, match=f"not a readable {codec} picture"):
        read(picture_frame(codec, saved(Image.fromarray(picture()), other)))


@pytest.mark.parametrize("codec", ["png", "jpeg", "webp"])
@pytest.mark.parametrize("share", [0, 0.1, 0.5, 0.9])
def test_a_picture_cut_short_is_refused(codec: str, share: float) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    whole = NAMES[codec].encode(noise).payload
    with pytest.raises(ContentError, match=f"not a readable {codec} picture"):
        read(picture_frame(codec, whole[: int(share * len(whole))], (64, 64, 3)))


def test_a_jpeg_of_very_many_scans_is_refused_before_it_is_decoded() -> None:
    with pytest.raises(ContentError, match=f"more than {MAX_JPEG_SCANS} scans"):
        read(picture_frame("jpeg", scans(MAX_JPEG_SCANS + 1)))


def webp(image: Image.Image | None = None, **options: Any) -> bytes:
    return saved(image or Image.fromarray(picture()), "WEBP", **options)


VP8 = webp()[20:]
WEBPS = {
    "lossless": (webp(lossless=True), "first chunk is b'VP8L'"),
    "alpha": (webp(Image.new("RGBA", (8, 8), (9, 9, 9, 9))), "first chunk is b'VP8X'"),
    "animated": (
        webp(save_all=True, append_images=[Image.fromarray(picture(seed=1))], duration=40),
        "first chunk is b'VP8X'",
    ),
    "metadata": (webp(exif=b"Exif\0\0" + bytes(64)), "first chunk is b'VP8X'"),
    "a huge canvas": (riff((b"VP8X", bytes(4) + b"\xff\xff\xff" * 2)), "first chunk is b'VP8X'"),
    "a chunk behind": (riff((b"VP8 ", VP8), (b"EXIF", bytes(8))), "lengths do not add up"),
    "bytes behind": (webp() + bytes(2), "lengths do not add up"),
    "a chunk that is too long": (webp()[:16] + b"\xff\xff\xff\xff" + VP8, "lengths do not add up"),
    "a file that is too long": (b"RIFF\xff\xff\xff\xff" + webp()[8:], "lengths do not add up"),
    "not a key frame": (webp()[:20] + bytes([VP8[0] | 1]) + VP8[1:], "does not start with a key frame"),
    "another start code": (riff((b"VP8 ", VP8[:3] + b"\x9d\x01\x2b" + VP8[6:])), "key frame"),
    "a header and no picture": (riff((b"VP8 ", VP8[:10])), "not a readable webp picture"),
    "another kind of RIFF": (webp()[:8] + b"WAVE" + webp()[12:], "does not start as a WebP"),
    "nothing": (b"", "0 bytes are no WebP"),
}


@pytest.mark.parametrize(("data", "text"), WEBPS.values(), ids=WEBPS.keys())
def test_a_webp_that_is_not_one_lossy_picture_is_refused(data: bytes, text: str) -> None:
    with pytest.raises(ContentError, match=text):
        read(picture_frame("webp", data))


@pytest.mark.parametrize("size", [(8, 9), (9, 8), (16, 4), (16383, 16383), (0, 8)], ids=str)
def test_a_webp_of_another_size_is_refused_before_pillow_sees_it(
    size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image, "open", lambda *_arguments, **_options: pytest.fail("it was opened"))
    with pytest.raises(ContentError, match=r"the frame says \(8, 8, 3\)"):
        read(picture_frame("webp", webp_of_size(*size, webp())))


def test_a_webp_whose_hint_for_the_screen_is_set_is_read() -> None:
    hinted = bytearray(webp())
    hinted[27] |= 0x40
    hinted[29] |= 0x80
    assert read(picture_frame("webp", bytes(hinted))).tolist() == read(picture_frame("webp", webp())).tolist()


def test_a_webp_that_claims_a_larger_picture_than_it_holds_is_refused() -> None:
    """Its header and the frame's agree; what lies behind is a picture of 8x8."""
    with pytest.raises(ContentError, match="not a readable webp picture"):
        read(picture_frame("webp", webp_of_size(1024, 1024, webp()), (1024, 1024, 3)))


# --- memory -----------------------------------------------------------------------------------------------------------


def comments(count: int, size: int) -> bytes:
    """`count` compressed PNG comments of `size` bytes each."""
    return b"".join(png_chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(size), 9)) for _ in range(count))


BOMBS = {
    "a declared petabyte": zstd_frame(zstd_header(1 << 50) + SIXTEEN[6:]),
    "64 MiB of zeros where 16 bytes are due": zstd_frame(zstandard.compress(bytes(64 * MEBIBYTE))),
    "64 MiB that say they are 16 bytes": zstd_frame(
        zstd_header(16)
        + zstandard.ZstdCompressor(write_content_size=False).compress(bytes(64 * MEBIBYTE))[6:]
    ),
    "a huge PNG": picture_frame("png", png_file(50000, 50000, rows=b"\0")),
    "a huge JPEG": picture_frame("jpeg", jpeg_of_size(50000, 50000)),
    "a huge WebP": picture_frame("webp", webp_of_size(16383, 16383, webp())),
    "a huge animation": picture_frame("webp", WEBPS["a huge canvas"][0]),
    "a PNG with 63 MiB of comments": picture_frame("png", png_file(8, 8, extra=comments(63, MEBIBYTE))),
    "a PNG with many comments": picture_frame("png", png_file(8, 8, extra=comments(999, 1 << 16))),
    "a shape of 64 MiB and no payload": wire.pack(
        frame_of(NAMES["float32"], shape=(4096, 4096), payload=b"")
    ),
    "a payload length of 4 GiB": forge(payload_length=0xFFFFFFFF),
}


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS.keys())
def test_a_bomb_is_refused_in_little_memory(bomb: bytes) -> None:
    read(picture_frame("png", png_file(8, 8)))  # imports Pillow, which is not the bomb's doing
    tracemalloc.start()
    try:
        with pytest.raises(WireError):
            read(bomb)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < MEBIBYTE + 2 * len(bomb)


# --- for all bytes ----------------------------------------------------------------------------------------------------


@fuzz
@given(st.binary(max_size=200))
@example(b"")
def test_arbitrary_bytes_are_refused(data: bytes) -> None:
    assert assert_valid_or_refused(data) is None


@fuzz
@given(st.data())
def test_arbitrary_sections_behind_a_plausible_header_are_decoded_or_refused(data: st.DataObject) -> None:
    rank = data.draw(st.integers(1, 4))
    shape = data.draw(st.lists(st.integers(0, 5), min_size=rank, max_size=rank))
    name, params, payload = (data.draw(st.binary(max_size=limit)) for limit in (4, 6, 48))
    assert_valid_or_refused(
        forge(
            rank=rank,
            shape=(*shape, *[0] * (4 - rank)),
            codec=data.draw(st.sampled_from(list(CODECS))),
            name_length=len(name),
            params_length=len(params),
            payload_length=len(payload),
            sections=name + params + payload,
        )
    )


@st.composite
def damage(draw: st.DrawFn, data: bytes) -> bytes:
    """`data` with a few bytes changed, pieces cut out, doubled or put in."""
    damaged = bytearray(data)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(damaged)))
        kind = draw(st.sampled_from(["set", "flip", "cut", "insert", "double", "end"]))
        if kind == "set" and at < len(damaged):
            damaged[at] = draw(st.sampled_from([0, 1, 0x7F, 0x80, 0xFE, 0xFF]))
        elif kind == "flip" and at < len(damaged):
            damaged[at] ^= 1 << draw(st.integers(0, 7))
        elif kind == "cut":
            del damaged[at : at + draw(st.integers(1, 8))]
        elif kind == "insert":
            damaged[at:at] = draw(st.binary(min_size=1, max_size=8))
        elif kind == "double":
            damaged[at:at] = damaged[at : at + draw(st.integers(1, 16))]
        else:
            del damaged[at:]
    return bytes(damaged)


@every_codec
@settings(fuzz, max_examples=300)
@given(data=st.data())
def test_a_damaged_payload_in_a_true_frame_is_decoded_or_refused(codec: Codec, data: st.DataObject) -> None:
    frame = frame_of(codec)
    shape = data.draw(st.sampled_from([frame.shape, (60,), (4, 15), (8, 8), (8, 8, 3), (24, 8, 1)]))
    params = data.draw(st.just(frame.params) | damage(frame.params))
    payload = data.draw(damage(bytes(frame.payload)))
    assert_valid_or_refused(wire.pack(frame_of(codec, shape=shape, params=params[:4096], payload=payload)))


@every_codec
@settings(fuzz, max_examples=150)
@given(data=st.data())
def test_a_damaged_frame_with_its_crc_repaired_is_decoded_or_refused(
    codec: Codec, data: st.DataObject
) -> None:
    assert_valid_or_refused(with_right_crc(data.draw(damage(wire.pack(frame_of(codec))))))


@every_codec
@settings(fuzz, max_examples=60)
@given(position=st.integers(min_value=0), value=st.integers(0, 255))
def test_a_damaged_header_with_its_crc_repaired_is_decoded_or_refused(
    codec: Codec, position: int, value: int
) -> None:
    damaged = bytearray(wire.pack(frame_of(codec)))
    damaged[position % wire.HEADER.size] = value
    assert_valid_or_refused(with_right_crc(bytes(damaged)))


@settings(fuzz, max_examples=300)
@given(data=st.data())
def test_a_damaged_png_with_its_checksums_repaired_is_decoded_or_refused(data: st.DataObject) -> None:
    rows = (b"\0" + b"\1" * 24) * 8
    header = struct.pack(">IIBBBBB", 8, 8, 8, 2, 0, 0, 0)
    chunks = [
        (b"IHDR", data.draw(st.just(header) | damage(header))),
        (data.draw(st.sampled_from([b"tRNS", b"PLTE", b"zTXt", b"iCCP", b"acTL", b"fcTL"])), data.draw(st.binary(max_size=30))),
        (b"IDAT", data.draw(damage(zlib.compress(rows)) | damage(rows).map(zlib.compress))),
        (b"IEND", b""),
    ]  # fmt: skip
    payload = b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(kind, content) for kind, content in chunks)
    assert_valid_or_refused(picture_frame("png", payload))


@settings(fuzz, max_examples=300)
@given(data=st.data())
def test_a_damaged_webp_with_its_lengths_repaired_is_decoded_or_refused(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from([b"VP8 ", b"VP8 ", b"VP8L", b"VP8X"]))
    damaged = VP8[:10] + data.draw(damage(VP8[10:])) if data.draw(st.booleans()) else data.draw(damage(VP8))
    more = data.draw(st.sampled_from([(), ((b"ALPH", bytes(8)),), ((b"ANMF", bytes(16)),)]))
    assert_valid_or_refused(picture_frame("webp", riff((kind, damaged), *more)))
