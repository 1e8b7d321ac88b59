"""Opening what FFmpeg reads, and saying in one line why it cannot be."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, cast

import av
from av.stream import Discard, Disposition

from edge.sources.video.decoder.complaints import Complaints, listen
from edge.sources.video.failures import reason
from shared.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from av.container import InputContainer
    from av.stream import Stream
    from av.video.stream import VideoStream


def open_container(
    target: str,
    name: str,
    options: Mapping[str, str],
    timeouts: tuple[float | None, float | None],
) -> InputContainer:
    """Open `target` within `timeouts`, (to open, to read) in seconds. Raises SourceError, which holds nothing of `target`."""
    listen()
    try:
        with Complaints(
            threads=1
        ):  # what is wrong with what is read to find the streams is told again when it is decoded
            return av.open(target, "r", options=dict(options), metadata_errors="replace", timeout=timeouts)
    except av.error.ExitError as error:
        raise SourceError(f"{name}: could not be opened within {timeouts[0] or 0:g} s") from error
    except (av.error.InvalidDataError, av.error.EOFError) as error:
        raise SourceError(f"{name}: not a video that can be read") from error
    except av.error.FFmpegError as error:
        raise SourceError(f"{name}: not a video that can be read: {reason(error)}") from error
    except (ValueError, OSError) as error:
        raise SourceError(f"{name}: {type(error).__name__}") from error


def pick_stream(container: InputContainer, name: str) -> VideoStream:
    """The stream that a player shows: the default one, or the largest. Raises SourceError if there is none that can be decoded."""
    covers = Disposition.attached_pic | Disposition.timed_thumbnails
    found = [stream for stream in container.streams.video if not stream.disposition & covers]
    if not found:
        others = sorted({_kind(stream) for stream in container.streams})
        raise SourceError(f"{name}: no video in it, only {', '.join(others) or 'nothing'}")
    decodable = [stream for stream in found if stream.codec_context is not None]
    if not decodable:
        codecs = ", ".join(sorted({_codec(container, stream) for stream in found}))
        raise SourceError(f"{name}: its codec, {codecs}, cannot be decoded here")

    def rank(stream: VideoStream) -> tuple[bool, int]:
        return bool(stream.disposition & Disposition.default), stream.width * stream.height

    picked = max(decodable, key=rank)
    for stream in container.streams:
        if stream is not picked:
            stream.discard = Discard.all  # FFmpeg would read and keep its packets
    return picked


def _kind(stream: Stream) -> str:
    return "a cover picture" if stream.type == "video" else str(stream.type)


def _codec(container: InputContainer, stream: Stream) -> str:
    """What FFmpeg calls the codec of a stream that it has no decoder for: PyAV has that only in what it prints."""
    try:
        av.logging.set_level(av.logging.INFO)
        printed = cast("Any", container).dumps_format()  # PyAV's stubs lack it
    finally:
        av.logging.set_level(av.logging.ERROR)
    found = re.search(rf"Stream #0:{stream.index}\b[^\n]*?: Video: ([^\s,]+)", printed)
    return found[1] if found else "an unknown one"
