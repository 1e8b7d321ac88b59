"""Where frames come from. One flag names it; what it is shows in how it is written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from edge.sources.live import Stream, Webcam
from edge.sources.recordings import recording
from edge.sources.synthetic import Synthetic
from shared.errors import SourceError

if TYPE_CHECKING:
    from edge.sources.opencv import Picture


class Source(Protocol):
    """Frames, one after another, read by one thread.

    `live`: frames come at their own pace and old ones may be dropped; otherwise every frame waits to be read.
    `name`: for logs and people, without credentials.
    """

    live: bool
    name: str

    def open(self) -> None:
        """Start, again from the beginning where there is one. Raises SourceError: what is wrong, what to do."""

    def read(self) -> Picture | None:
        """(H, W, 3) uint8 BGR, of a size that may change; None at the end.

        Raises SourceError when a live source is lost or stays silent; it may then be opened again.
        """

    def close(self) -> None:
        """Let go of everything, however often it is called. A live source takes this from any thread."""


def open_source(spec: str, *, open_timeout_s: float, read_timeout_s: float) -> Source:
    """The source that `spec` names, not opened yet. Raises SourceError or SettingsError.

    `synthetic:fps=10`         drawn, see edge/sources/synthetic.py
    `0`, `/dev/video0`         a webcam
    `rtsp://…`, `http://…`     a stream
    anything else              the path of a video, a picture or a folder of pictures
    """
    if not spec:
        raise SourceError("no source is given; try `synthetic`")
    if spec.partition(":")[0] == "synthetic":
        return Synthetic(spec)
    if spec.isdigit() or spec.startswith("/dev/"):
        return Webcam(spec, open_timeout_s=open_timeout_s, read_timeout_s=read_timeout_s)
    if "://" in spec:
        return Stream(spec, open_timeout_s=open_timeout_s, read_timeout_s=read_timeout_s)
    return recording(spec)
