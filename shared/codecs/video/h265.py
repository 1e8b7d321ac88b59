"""What an H.265 picture may hold (ITU-T H.265), as far as that shows without decoding it."""

from __future__ import annotations

from shared.codecs.video.bits import Bits, joined, require_few, unescaped, units
from shared.errors import ContentError

_NAME = "h265"
_VPS, _SPS, _PPS = 32, 33, 34
_IDR = {19, 20}
_TRAILING = {0, 1, 2, 3, 4, 5}
_SAID = {*range(35, 41)}
"""Delimiter, ends, filler, and what an encoder says of itself: nothing for a decoder."""
_MOST_LAYERS = 6
_MOST_SETS = {_VPS: 1, _SPS: 1, _PPS: 4}
"""In one picture. The encoders here write one of each."""


def _kind(unit: bytes) -> int:
    if len(unit) < 3 or unit[0] & 0x81 or unit[1] >> 3:
        raise ContentError("not a readable h265 picture: a unit of another layer, or a damaged one")
    return unit[0] >> 1


def bare(payload: bytes) -> bytes:
    """The same picture without what no decoder needs. Raises ContentError."""
    found = (unit for unit in units(payload, _NAME) if len(unit) > 1 and unit[0] >> 1 not in _SAID)
    return joined(list(found))


def size(payload: bytes, *, keyframe: bool) -> tuple[int, int] | None:
    """(height, width) that a picture's headers say; None where it brings none. Raises ContentError unless it is exactly one picture."""
    found = units(payload, _NAME)
    kinds = [_kind(unit) for unit in found]
    wanted = _IDR if keyframe else _TRAILING
    strange = set(kinds) - wanted - {_VPS, _SPS, _PPS}
    if strange:
        raise ContentError(
            f"an h265 {'keyframe' if keyframe else 'picture'} with units of the types {sorted(strange)} is not accepted",
            accepted=sorted(wanted | {_VPS, _SPS, _PPS}),
        )
    require_few(found, kinds, _MOST_SETS, _NAME)
    first = [unit[2] >> 7 for unit, kind in zip(found, kinds, strict=True) if kind in wanted]
    if first[:1] != [1] or any(first[1:]):
        raise ContentError(f"an h265 payload is one picture; this one begins {sum(first)}")
    sequences = {unit for unit, kind in zip(found, kinds, strict=True) if kind == _SPS}
    sizes = {_size_in(unit) for unit in sequences}
    if keyframe and not (sizes and {_VPS, _PPS} <= set(kinds)):
        raise ContentError(
            "an h265 keyframe begins with one stream's, one sequence's and its pictures' parameters"
        )
    return sizes.pop() if sizes else None


def has_b(payload: bytes) -> bool:
    """Whether pictures may come in another order than they are shown in, by the headers that a keyframe brings. Raises ContentError."""
    return any(_sequence(unit)[1] for unit in {*units(payload, _NAME)} if _kind(unit) == _SPS)


def _size_in(unit: bytes) -> tuple[int, int]:
    found, reordered = _sequence(unit)
    if reordered:
        raise ContentError(
            "h265 whose pictures are reordered is not accepted: one would need a picture that comes after it"
        )
    return found


def _sequence(unit: bytes) -> tuple[tuple[int, int], int]:
    """What a sequence parameter set (7.3.2.2.1) says: (height, width), and how many pictures may be reordered."""
    bits = Bits(unescaped(unit[2:]), _NAME)
    bits.take(4)
    layers = bits.take(3)
    if layers > _MOST_LAYERS:
        raise ContentError(f"not a readable h265 picture: {layers + 1} temporal layers")
    bits.take(1)
    bits.take(88 + 8)  # profile, tier, level
    told = [(bits.take(1), bits.take(1)) for _ in range(layers)]
    if layers:
        bits.take(2 * (8 - layers))
    for profile, level in told:
        bits.take(88 * profile + 8 * level)
    bits.number()  # its id
    if bits.number() != 1:
        raise ContentError("h265 other than 4:2:0 is not accepted")
    width, height = bits.number(), bits.number()
    if bits.take(1):
        left, right, top, bottom = (2 * bits.number() for _ in range(4))
        width, height = width - left - right, height - top - bottom
    if (bits.number(), bits.number()) != (0, 0):
        raise ContentError("h265 of more than 8 bits is not accepted")
    bits.number()  # picture order counts
    reordered = 0
    for _ in range(layers + 1 if bits.take(1) else 1):
        bits.number()
        reordered = max(reordered, bits.number())
        bits.number()
    return (height, width), reordered
