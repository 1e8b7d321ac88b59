"""A camera's own packets in place of what an encoder makes of its pictures: nothing is lost a second time, and nothing computed."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.codecs.spec import parse_spec, take_whole
from shared.codecs.video.bits import joined, units
from shared.codecs.video.checks import check_payload
from shared.errors import ContentError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable

    from shared.codecs.video.kinds import Kind

_log = logging.getLogger(__name__)

_PARAMETER_SETS = {"h264": frozenset({7, 8}), "h265": frozenset({32, 33, 34})}
_KEYS = {"h264": frozenset({5}), "h265": frozenset({19, 20})}
_MOST_SETS = 64
OPTION, SWITCH = "passthrough", (0, 1)
"""The option of a codec, and its range."""


@dataclass(frozen=True, slots=True, eq=False)
class Own:
    """What a camera's encoder made of one picture."""

    kind: str
    """`h264` or `h265`."""
    stream: object
    """The same object for all packets of one connection."""
    number: int
    """In that stream: a packet may need the one before."""
    packet: Callable[[], bytes]
    """As it came; called at most once, and only if it may travel."""
    extradata: bytes
    """What the container holds once for all packets: `avcC`, `hvcC`, Annex B, or nothing."""

    def follows(self, other: Own) -> bool:
        """Whether it comes right after another one."""
        return self.stream is other.stream and self.number == other.number + 1


def passes_on(spec: str | None) -> bool:
    """Whether a codec that is written like this sends a camera's own packets. One that nothing can be made of is refused elsewhere."""
    try:
        _, options = parse_spec(spec or "")
        return take_whole(options, OPTION, 0, *SWITCH) > 0  # as who makes the codec reads it
    except SettingsError:
        return False


class Passing:
    """Which packets of its camera one stream may send. A gap, or a keyframe that is wanted, ends the passing until the camera's next keyframe."""

    def __init__(self, kind: Kind) -> None:
        self._kind = kind
        self._offered: Own | None = None
        self._last: Own | None = None
        self._said = False

    def offer(self, own: Own | None) -> None:
        """What belongs to the picture that is encoded next."""
        self._offered = own if own and own.kind == self._kind.name else None

    def take(self, shape: tuple[int, ...], *, begins: bool) -> tuple[bytes, bool] | None:
        """The payload that may travel in place of this picture's, and whether it is a keyframe. `begins`: it must be one."""
        own, self._offered = self._offered, None
        last, self._last = self._last, None
        if own is None:
            return None
        try:
            whole, keyframe = annexb(own)
            payload = self._kind.bare(whole)
            if not keyframe and (begins or last is None or not own.follows(last)):
                return None
            check_payload(self._kind, payload, shape, keyframe=keyframe)
        except ContentError as error:
            if not self._said:
                _log.warning("the camera's own packets do not travel, its pictures are encoded: %s", error)
            self._said = True
            return None
        self._last = own
        return payload, keyframe


def annexb(own: Own) -> tuple[bytes, bool]:
    """A packet as Annex B, and whether it is a keyframe, which brings all headers. Raises ContentError."""
    extradata, packet = own.extradata, own.packet()
    sized = extradata[:1] == b"\1"
    found = _sized(packet, _length_bytes(own.kind, extradata)) if sized else units(packet, own.kind)
    types = [_type(own.kind, unit) for unit in found]
    keyframe = not _KEYS[own.kind].isdisjoint(types)
    if keyframe and not _PARAMETER_SETS[own.kind] <= set(types):
        found = _completed(
            own.kind, found, _sets(own.kind, extradata) if sized else units(extradata, own.kind)
        )
    return joined(found), keyframe


def _completed(kind: str, found: list[bytes], before: list[bytes]) -> list[bytes]:
    """The units of a keyframe, and of those told before it the kinds of headers that it brings none of. Raises ContentError."""
    sets = _PARAMETER_SETS[kind]
    own = [unit for unit in found if _type(kind, unit) in sets]
    if not {*own} <= {*before}:  # then what was told before may belong to another video
        raise ContentError(f"the camera's {kind} brings other headers than it told before, and not all")
    brought = {_type(kind, unit) for unit in own}
    more = [unit for unit in before if _type(kind, unit) in sets - brought]
    # Each kind refers to the one before.
    heads = sorted([*more, *own], key=lambda unit: _type(kind, unit))
    return [*heads, *(unit for unit in found if _type(kind, unit) not in sets)]


def _type(kind: str, unit: bytes) -> int:
    return unit[0] & 31 if kind == "h264" else unit[0] >> 1 & 63


def _length_bytes(kind: str, extradata: bytes) -> int:
    at = 4 if kind == "h264" else 21
    if len(extradata) <= at:
        raise ContentError(f"the camera's {kind} has no readable headers")
    return (extradata[at] & 3) + 1


def _sized(packet: bytes, length_bytes: int) -> list[bytes]:
    """The units of a packet of MP4 or Matroska, each after its length."""
    found, at = [], 0
    while at < len(packet):
        start = at + length_bytes
        at = start + int.from_bytes(packet[at:start], "big")
        if start == at or at > len(packet):
            raise ContentError("a packet of the camera is damaged")
        found.append(packet[start:at])
    return found


def _sets(kind: str, extradata: bytes) -> list[bytes]:
    """The parameter sets in `avcC` or `hvcC` (ISO/IEC 14496-15)."""
    found: list[bytes] = []
    at = 5 if kind == "h264" else 22
    arrays = 2 if kind == "h264" else extradata[at] if len(extradata) > at else 0
    at += kind != "h264"
    for number in range(min(arrays, _MOST_SETS)):
        if kind == "h264":
            count = int.from_bytes(extradata[at : at + 1], "big") & (255 if number else 31)
            at += 1
        else:
            count = int.from_bytes(extradata[at + 1 : at + 3], "big")
            at += 3
        for _ in range(min(count, _MOST_SETS)):
            length = int.from_bytes(extradata[at : at + 2], "big")
            unit = extradata[at + 2 : at + 2 + length]
            at += 2 + length
            if not unit or len(unit) != length:
                raise ContentError(f"the camera's {kind} has no readable headers")
            found.append(unit)
    return found
