"""What an AV1 picture may hold (AV1 Bitstream & Decoding Process Specification), as far as that shows without decoding it."""

from __future__ import annotations

from shared.codecs.video.bits import Bits, require_few
from shared.errors import ContentError

_NAME = "av1"
_SEQUENCE, _DELIMITER, _HEADER, _TILES, _METADATA, _FRAME, _PADDING = 1, 2, 3, 4, 5, 6, 15
_MOST_UNITS = 1024
_MOST_LENGTH_BYTES = 8


def bare(payload: bytes) -> bytes:
    """The same picture without what no decoder needs. Raises ContentError."""
    return b"".join(
        whole for kind, whole, _ in _units(payload) if kind not in {_DELIMITER, _METADATA, _PADDING}
    )


def size(payload: bytes, *, keyframe: bool) -> tuple[int, int] | None:
    """(height, width) that a picture's headers say; None where it brings none. Raises ContentError unless it is exactly one picture."""
    found = _units(payload)
    kinds = [kind for kind, _, _ in found]
    strange = set(kinds) - {_SEQUENCE, _HEADER, _TILES, _FRAME}
    if strange:
        raise ContentError(
            f"an av1 picture with units of the types {sorted(strange)} is not accepted",
            accepted=[_SEQUENCE, _HEADER, _TILES, _FRAME],
        )
    pictures = [kind for kind in kinds if kind in {_HEADER, _FRAME}]
    if len(pictures) != 1 or (pictures == [_HEADER] and _TILES not in kinds):
        raise ContentError(f"an av1 payload is one picture; this one has {len(pictures)}")
    require_few([whole for _, whole, _ in found], kinds, {_SEQUENCE: 1}, _NAME)
    sizes = {_size_in(content) for content in {content for kind, _, content in found if kind == _SEQUENCE}}
    if keyframe and (not sizes or kinds[0] != _SEQUENCE):
        raise ContentError("an av1 keyframe begins with one sequence's header")
    return sizes.pop() if sizes else None


def has_b(payload: bytes) -> bool:
    """Whether a packet holds other than one picture: AV1 hides pictures that it shows later."""
    return sum(kind in {_HEADER, _FRAME} for kind, _, _ in _units(payload)) != 1


def _units(payload: bytes) -> list[tuple[int, bytes, bytes]]:
    """Type, all bytes and content of each open bitstream unit (5.3). Raises ContentError."""
    found: list[tuple[int, bytes, bytes]] = []
    at = 0
    while at < len(payload):
        if len(found) == _MOST_UNITS:
            raise ContentError(f"an av1 picture of more than {_MOST_UNITS} units is not accepted")
        begin, head = at, payload[at]
        if head & 0x81 or not head & 2:
            raise ContentError("not a readable av1 picture: a unit without its length, or a damaged one")
        at += 2 if head & 4 else 1
        length = 0
        for number in range(_MOST_LENGTH_BYTES):
            byte = payload[at] if at < len(payload) else 0
            at += 1
            length |= (byte & 0x7F) << (7 * number)
            if not byte & 0x80:
                break
        if length > len(payload) - at:
            raise ContentError("not a readable av1 picture: a unit is longer than the payload")
        found.append((head >> 3 & 15, payload[begin : at + length], payload[at : at + length]))
        at += length
    return found


def _size_in(content: bytes) -> tuple[int, int]:
    """What a sequence header (5.5) says."""
    bits = Bits(content, _NAME)
    profile, _, reduced = bits.take(3), bits.take(1), bits.take(1)
    if profile or reduced:
        raise ContentError("av1 other than 4:2:0 of the profile Main is not accepted")
    delay_bits, models = 0, 0
    if bits.take(1):
        bits.take(64)
        if bits.take(1):
            bits.number()
        models = bits.take(1)
        if models:
            delay_bits = bits.take(5) + 1
            bits.take(42)
    delays = bits.take(1)
    for _ in range(bits.take(5) + 1):
        bits.take(12)
        if bits.take(5) > 7:
            bits.take(1)
        if models and bits.take(1):
            bits.take(2 * delay_bits + 1)
        if delays and bits.take(1):
            bits.take(4)
    width_bits, height_bits = bits.take(4) + 1, bits.take(4) + 1
    width, height = bits.take(width_bits) + 1, bits.take(height_bits) + 1
    return height, width
