"""Which source a path is: a video, a picture, a folder or a pattern."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from edge.sources.files import listing
from edge.sources.files.kinds import kind_of
from edge.sources.files.readable import refuse_unreadable
from edge.sources.files.recordings import Recordings
from edge.sources.files.video_file import VideoFile
from shared.errors import SourceError
from shared.observing.logs import mask_url

if TYPE_CHECKING:
    from collections.abc import Callable


def recording(
    spec: str, on_undecodable: Callable[[], None] = lambda: None, *, alone: bool = True
) -> VideoFile | Recordings:
    """The source at the path `spec`, or that of all paths that match it. Raises SourceError if there is nothing.

    `on_undecodable` is called for everything that cannot be decoded and is left out. `alone` as for VideoFile.
    """
    path = Path(spec)
    video = partial(VideoFile, on_undecodable=on_undecodable, alone=alone)
    make = partial(Recordings, make_video=video, on_undecodable=on_undecodable)
    try:
        path.stat()
    except OSError as error:
        if listing.is_pattern(spec):
            return make(spec, partial(listing.matching, spec))
        raise SourceError(
            f"{mask_url(spec)}: {error.strerror}; a source is a video, a picture, a folder or pattern of them, a camera or a URL"
        ) from None
    if path.is_dir():
        return make(spec, partial(listing.in_folder, path))
    if not path.is_file():
        raise SourceError(f"{spec}: neither a file nor a folder; a camera is written 0 or /dev/video0")
    if kind_of(path) == "picture":
        return make(spec, partial(_alone, path))
    return video(path)


def _alone(path: Path) -> tuple[list[listing.Entry], list[str]]:
    refuse_unreadable(path)
    return [listing.Entry(path, None, "picture")], []
