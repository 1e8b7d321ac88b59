"""What an H.264 picture may hold (ITU-T H.264), as far as that shows without decoding it."""

from __future__ import annotations

from shared.codecs.video.bits import Bits, joined, require_few, unescaped, units
from shared.errors import ContentError

_NAME = "h264"
_SLICE, _IDR, _SPS, _PPS = 1, 5, 7, 8
_ENDS = range(9, 13)
"""Access unit delimiter, ends of sequence and stream, filler: nothing for a decoder."""
_SEI, _SPS_EXTENSION = 6, 13
_HIGH = 100
_PROFILES = {66: "Baseline", 77: "Main", 88: "Extended", _HIGH: "High"}
_B_SLICES = (1, 6)
_LISTS = 8
_MOST_SETS = {_SPS: 1, _PPS: 4}
"""In one picture. The encoders here write one of each."""
_MOST_FRAMES = 256
"""Picture order counts in one cycle."""


def bare(payload: bytes) -> bytes:
    """The same picture without what no decoder needs: delimiters, filler, and what an encoder says of itself. Raises ContentError."""
    kept = (unit for unit in units(payload, _NAME) if unit[0] & 31 not in {*_ENDS, _SEI, _SPS_EXTENSION})
    return joined(list(kept))


def size(payload: bytes, *, keyframe: bool) -> tuple[int, int] | None:
    """(height, width) that a picture's headers say; None where it brings none. Raises ContentError unless it is exactly one picture."""
    found = units(payload, _NAME)
    kinds = [unit[0] & 31 for unit in found]
    wanted = _IDR if keyframe else _SLICE
    strange = set(kinds) - {wanted, _SPS, _PPS}
    if strange:
        raise ContentError(
            f"an h264 {'keyframe' if keyframe else 'picture'} with units of the types {sorted(strange)} is not accepted",
            accepted=sorted({wanted, _SPS, _PPS}),
        )
    require_few(found, kinds, _MOST_SETS, _NAME)
    first = [_is_first(unit) for unit, kind in zip(found, kinds, strict=True) if kind == wanted]
    if first[:1] != [True] or any(first[1:]):
        raise ContentError(f"an h264 payload is one picture; this one begins {sum(first)}")
    sequences = {unit for unit, kind in zip(found, kinds, strict=True) if kind == _SPS}
    sizes = {_size_in(unit) for unit in sequences}
    if keyframe and not (sizes and _PPS in kinds):
        raise ContentError("an h264 keyframe begins with one sequence's and its pictures' parameters")
    return sizes.pop() if sizes else None


def has_b(payload: bytes) -> bool:
    """Whether a picture is coded of pictures shown after it, or might be. Raises ContentError."""
    return any(
        _slice(unit)[1] in _B_SLICES for unit in units(payload, _NAME) if unit[0] & 31 in {_SLICE, _IDR}
    )


def _slice(unit: bytes) -> tuple[int, int]:
    """The first block of a slice, and its type."""
    bits = Bits(unescaped(unit[1:64]), _NAME)
    return bits.number(), bits.number()


def _is_first(unit: bytes) -> bool:
    block, kind = _slice(unit)
    if kind in _B_SLICES:
        raise ContentError(
            "an h264 picture with B slices is not accepted: it needs a picture that comes after it"
        )
    return block == 0


def _size_in(unit: bytes) -> tuple[int, int]:
    """What a sequence parameter set (7.3.2.1.1) says."""
    bits = Bits(unescaped(unit[1:]), _NAME)
    profile = bits.take(8)
    if profile not in _PROFILES:
        raise ContentError(f"h264 of the profile {profile} is not accepted", accepted=[*_PROFILES.values()])
    bits.take(16)  # constraints, level
    bits.number()  # its id
    if profile == _HIGH:
        if (bits.number(), bits.number(), bits.number()) != (1, 0, 0) or bits.take(1):
            raise ContentError("h264 other than 4:2:0 of 8 bits is not accepted")
        if bits.take(1):
            for number in range(_LISTS):
                if bits.take(1):
                    _skip_list(bits, 16 if number < 6 else 64)
    bits.number()  # frame numbers
    counts = bits.number()
    if counts == 0:
        bits.number()
    elif counts == 1:
        bits.take(1)
        bits.signed()
        bits.signed()
        for _ in range(min(bits.number(), _MOST_FRAMES)):
            bits.signed()
    bits.number()  # reference frames
    bits.take(1)
    width, height = 16 * (bits.number() + 1), 16 * (bits.number() + 1)
    if not bits.take(1):
        raise ContentError("interlaced h264 is not accepted")
    bits.take(1)
    if bits.take(1):
        left, right, top, bottom = (2 * bits.number() for _ in range(4))
        width, height = width - left - right, height - top - bottom
    return height, width


def _skip_list(bits: Bits, length: int) -> None:
    last, following = 8, 8
    for _ in range(length):
        if following:
            following = (last + bits.signed()) % 256
        last = following or last
