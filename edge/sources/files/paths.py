"""Which source a path is: a video, a picture, a folder."""

from __future__ import annotations

from pathlib import Path

from edge.sources.files.pictures import PICTURES, Pictures
from edge.sources.files.video_file import VideoFile
from shared.errors import SourceError


def recording(spec: str) -> VideoFile | Pictures:
    """The source at the path `spec`. Raises SourceError if that is neither a file nor a folder."""
    path = Path(spec)
    try:
        path.stat()
    except OSError as error:
        raise SourceError(
            f"{spec}: {error.strerror}; a source is a video, a folder, a camera or a URL"
        ) from None
    if path.is_dir() or path.suffix.lower() in PICTURES:
        return Pictures(path)
    if not path.is_file():
        raise SourceError(f"{spec}: neither a file nor a folder; a camera is written 0 or /dev/video0")
    return VideoFile(path)
