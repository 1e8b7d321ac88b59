"""The invariant of WIRE.md, rule 7: all bytes are decoded to a valid array or refused, by every codec."""

from __future__ import annotations

import struct
import zlib

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from kits.codecs import PICTURE_CODECS, TENSOR_CODECS, changed, forge, frame_of, with_right_crc
from kits.naming import naming
from kits.picture_files import picture_frame, png_chunk, riff, webp
from kits.reading import KINDS, Edit, assert_valid_or_refused, damaged

from shared.codecs import CODECS
from shared.wire import frame as wire

fuzz = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
edits = st.lists(
    st.tuples(
        st.sampled_from(KINDS),
        st.integers(0, 1 << 20),
        st.integers(0, 15),
        st.binary(min_size=1, max_size=8),
    ),
    min_size=1,
    max_size=4,
)
# Each example damages a frame of every codec in the same way, so that drawing it is paid for once.
FRAMES = [frame_of(codec) for codec in (*TENSOR_CODECS, *PICTURE_CODECS)]
PACKED = [wire.pack(frame) for frame in FRAMES]
VP8 = webp()[20:]


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
    for codec in CODECS:
        with naming(codec):
            assert_valid_or_refused(
                forge(
                    rank=rank,
                    shape=(*shape, *[0] * (4 - rank)),
                    codec=codec,
                    name_length=len(name),
                    params_length=len(params),
                    payload_length=len(payload),
                    sections=name + params + payload,
                )
            )


@settings(fuzz, max_examples=300)
@given(
    shape=st.sampled_from([None, (60,), (4, 15), (8, 8), (8, 8, 3), (24, 8, 1)]),
    of_params=st.just([]) | edits,
    of_payload=edits,
)
def test_a_damaged_payload_in_a_true_frame_is_decoded_or_refused(
    shape: tuple[int, ...] | None, of_params: list[Edit], of_payload: list[Edit]
) -> None:
    for frame in FRAMES:
        (tensor,) = frame.tensors
        other = changed(
            frame,
            shape=shape or tensor.shape,
            params=damaged(tensor.params, of_params),
            payload=damaged(bytes(tensor.payload), of_payload),
        )
        with naming(CODECS[tensor.codec_id].name):
            assert_valid_or_refused(wire.pack(other))


@settings(fuzz, max_examples=150)
@given(edits)
def test_a_damaged_frame_with_its_crc_repaired_is_decoded_or_refused(how: list[Edit]) -> None:
    for frame, data in zip(FRAMES, PACKED, strict=True):
        with naming(CODECS[frame.tensors[0].codec_id].name):
            assert_valid_or_refused(with_right_crc(damaged(data, how)))


@settings(fuzz, max_examples=60)
@given(position=st.integers(0, wire.HEADER.size - 1), value=st.integers(0, 255))
def test_a_damaged_header_with_its_crc_repaired_is_decoded_or_refused(position: int, value: int) -> None:
    for frame, data in zip(FRAMES, PACKED, strict=True):
        other = bytearray(data)
        other[position] = value
        with naming(CODECS[frame.tensors[0].codec_id].name):
            assert_valid_or_refused(with_right_crc(bytes(other)))


@settings(fuzz, max_examples=300)
@given(
    of_header=st.just([]) | edits,
    kind=st.sampled_from([b"tRNS", b"PLTE", b"zTXt", b"iCCP", b"acTL", b"fcTL"]),
    content=st.binary(max_size=30),
    of_rows=st.just([]) | edits,
    of_data=st.just([]) | edits,
)
def test_a_damaged_png_with_its_checksums_repaired_is_decoded_or_refused(
    of_header: list[Edit], kind: bytes, content: bytes, of_rows: list[Edit], of_data: list[Edit]
) -> None:
    rows = (b"\0" + b"\1" * 24) * 8
    chunks = [
        (b"IHDR", damaged(struct.pack(">IIBBBBB", 8, 8, 8, 2, 0, 0, 0), of_header)),
        (kind, content),
        (b"IDAT", damaged(zlib.compress(damaged(rows, of_rows)), of_data)),
        (b"IEND", b""),
    ]
    payload = b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(kind, content) for kind, content in chunks)
    assert_valid_or_refused(picture_frame("png", payload))


@settings(fuzz, max_examples=300)
@given(
    kind=st.sampled_from([b"VP8 ", b"VP8 ", b"VP8L", b"VP8X"]),
    whole=st.booleans(),
    how=edits,
    more=st.sampled_from([(), ((b"ALPH", bytes(8)),), ((b"ANMF", bytes(16)),)]),
)
def test_a_damaged_webp_with_its_lengths_repaired_is_decoded_or_refused(
    kind: bytes, whole: bool, how: list[Edit], more: tuple[tuple[bytes, bytes], ...]
) -> None:
    content = damaged(VP8, how) if whole else VP8[:10] + damaged(VP8[10:], how)
    assert_valid_or_refused(picture_frame("webp", riff((kind, content), *more)))
