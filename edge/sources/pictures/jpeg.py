"""Whether a JPEG is whole.

OpenCV and libjpeg fill up what is missing of a JPEG that ends with its end marker, and say so on stderr only. FFmpeg's
decoder can be told to fail instead. It does not look at restart intervals that are missing, so these are counted.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import ceil

from edge.sources.pictures.unreadable import UnreadableError, refuse_huge

_MARKER = re.compile(rb"\xff([^\x00\xff])")
_AFTER_SCAN = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
_RESTART = re.compile(rb"\xff[\xd0-\xd7]")
_END = 0xD9
_SCAN = 0xDA
_INTERVAL = 0xDD
_HUFFMAN = {0xC0, 0xC1, 0xC2}
_ARITHMETIC = {0xC9, 0xCA}
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_METADATA = {*range(0xE0, 0xF0), 0xFE}
_ALL = 16
_MOST_SCANS = 128
_ZEROS = 64

CUT_OFF = "it is cut off"
END_MARKER = b"\xff\xd9"


@dataclass(slots=True)
class _Frame:
    kind: int
    width: int
    height: int
    sampling: dict[int, tuple[int, int]]
    """By the number of the component: horizontal and vertical."""
    bits_left: dict[int, list[int]]
    """How many bits no scan has brought yet, of each component's 64 coefficients."""

    def add_scan(self, body: bytes) -> None:
        """Note what a scan of these parameters brings."""
        count = body[0]
        first, last, bits = body[1 + 2 * count : 4 + 2 * count]
        for component in body[1 : 1 + 2 * count : 2]:
            self.bits_left[component][first : last + 1] = [bits & 15] * (last + 1 - first)

    @property
    def lacks_scans(self) -> bool:
        return self.kind in _HUFFMAN | _ARITHMETIC and any(any(each) for each in self.bits_left.values())

    def units(self, components: bytes) -> int:
        """How many units a restart interval is counted in a scan of these components has."""
        most = [max(each[axis] for each in self.sampling.values()) for axis in (0, 1)]
        if len(components) > 1:
            return ceil(self.width / (8 * most[0])) * ceil(self.height / (8 * most[1]))
        own = self.sampling[components[0]]
        across = ceil(ceil(self.width * own[0] / most[0]) / 8)
        return across * ceil(ceil(self.height * own[1] / most[1]) / 8)


def refuse_damaged(data: bytes) -> None:
    """Raise UnreadableError if the JPEG `data` is not whole, or too large.

    An end marker that is missing is no damage if the picture is there, as some cameras leave it out.
    """
    try:
        reason = _damage(data)
    except (IndexError, KeyError, ValueError, ZeroDivisionError):
        reason = "its headers are damaged"
    if reason:
        raise UnreadableError(reason)


def _damage(data: bytes) -> str | None:
    frame, interval, position, scans = None, 0, 2, 0
    kept = [data[:2]]  # without what others wrote about the picture, in which FFmpeg would look for mistakes
    while found := _MARKER.search(data, position):
        code = found[1][0]
        if code == _END:
            break
        position = found.end()
        if 0xD0 <= code <= 0xD8 or code == 0x01:
            continue
        length = int.from_bytes(data[position : position + 2])
        end = position + length
        if length < 2 or end > len(data):
            return CUT_OFF
        body = data[position + 2 : end]
        if code in _FRAMES:
            frame = _frame(code, body)
            refuse_huge(frame.width, frame.height)
        elif code == _INTERVAL:
            interval = int.from_bytes(body[:2])
        elif code == _SCAN:
            after = _AFTER_SCAN.search(data, end)
            stop = after.start() if after else len(data)
            scans += 1
            if frame is None:
                return "its headers are damaged"
            if scans > _MOST_SCANS:
                return f"it has more than {_MOST_SCANS} scans"
            if interval and frame.height:
                expected = (frame.units(body[1 : 1 + 2 * body[0] : 2]) - 1) // interval
                if len(_RESTART.findall(data, end, stop)) < expected:
                    return CUT_OFF if after is None else "parts in the middle of it are missing"
            frame.add_scan(body)
            end = stop
        if code not in _METADATA:
            kept.append(data[found.start() : end])
        position = end
    if frame is None or frame.lacks_scans:
        return CUT_OFF
    if frame.kind in _HUFFMAN:
        if _ffmpeg_refuses(b"".join([*kept, END_MARKER])):
            return "it is damaged" if found else CUT_OFF
        if _ends_in_zeros_that_do_not_matter(kept):
            return f"{CUT_OFF}, and zeros follow"
    return None


def _ends_in_zeros_that_do_not_matter(kept: list[bytes]) -> bool:
    """Whether the last of these segments ends in zeros that stand in for data that are missing.

    To a decoder zeros are codes like others: if there are more than it needs, it makes a picture. Where they are right, as at
    the end of a picture that is black below, each of them is needed; where they only fill up a whole picture, none is.
    """
    *before, last = kept
    data = last.rstrip(b"\0")
    zeros = len(last) - len(data)
    if zeros < _ZEROS:
        return False
    data += b"\0" * data.endswith(b"\xff")  # which means the byte 255
    fewer = last[: len(last) - _ZEROS * 3 // 4]
    return all(
        _ffmpeg_refuses(b"".join([*before, each, END_MARKER])) is refused
        for each, refused in ((data, True), (fewer, False))
    )


def _frame(kind: int, body: bytes) -> _Frame:
    count = body[5]
    parts = [body[6 + 3 * index : 9 + 3 * index] for index in range(count)]
    sampling = {part[0]: (part[1] >> 4, part[1] & 15) for part in parts}
    return _Frame(
        kind,
        height=int.from_bytes(body[1:3]),
        width=int.from_bytes(body[3:5]),
        sampling=sampling,
        bits_left={component: [_ALL] * 64 for component in sampling},
    )


def _ffmpeg_refuses(data: bytes) -> bool:
    import av  # noqa: PLC0415 - it takes long, and a source of other pictures does without

    from edge.sources.pictures.strict import StrictDecoder  # noqa: PLC0415 - the same

    try:
        # An eighth of the size: only mistakes are looked for.
        frames = StrictDecoder(lowres="3").decode(data, last=True)
    except av.error.InvalidDataError:
        return True
    except av.error.FFmpegError:
        return False  # a form of JPEG that it does not decode
    return any(frame.is_corrupt for frame in frames)
