"""Whether a JPEG is whole.

OpenCV and libjpeg fill up what is missing of a JPEG that ends with its end marker, and say so on stderr only. FFmpeg's
decoder can be told to fail instead. It does not look at restart intervals that are missing, so these are counted.
"""

from __future__ import annotations

from edge.sources.pictures.unreadable import UnreadableError, refuse_huge
from shared.codecs.pictures.jpeg import CUT_OFF, END_MARKER, ends_in_zeros_that_do_not_matter, read_jpeg
from shared.errors import ContentError

_MOST_PIECES = 1 << 20
_MOST_SCANS = 128


def refuse_damaged(data: bytes) -> None:
    """Raise UnreadableError if the JPEG `data` is not whole, or too large.

    An end marker that is missing is no damage if the picture is there, as some cameras leave it out.
    """
    try:
        found = read_jpeg(data, most_pieces=_MOST_PIECES, most_scans=_MOST_SCANS)
    except ContentError as error:
        raise UnreadableError(str(error)) from None
    refuse_huge(found.width, found.height)
    if not found.huffman:
        return
    data = b"".join([*found.kept, END_MARKER])
    if _ffmpeg_refuses(data):
        raise UnreadableError("it is damaged" if found.ended else CUT_OFF)
    if ends_in_zeros_that_do_not_matter(data, _ffmpeg_refuses):
        raise UnreadableError(f"{CUT_OFF}, and zeros follow")


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
