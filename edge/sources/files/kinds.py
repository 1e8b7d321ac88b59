"""What a file is: a picture, a video, or neither."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

from edge.sources.pictures.reading import known

if TYPE_CHECKING:
    from pathlib import Path

Kind = Literal["picture", "video"]

PICTURES = frozenset(
    {
        ".jpg", ".jpeg", ".jpe", ".jfif", ".jif", ".mpo", ".png", ".apng", ".gif", ".webp", ".bmp", ".dib", ".tif", ".tiff",
        ".avif", ".avifs", ".heic", ".heif", ".hif", ".jp2", ".j2k", ".jpx", ".jxl", ".pbm", ".pgm", ".ppm", ".pnm", ".pam",
        ".pfm", ".hdr", ".exr", ".ras", ".sr", ".pcx", ".ico", ".tga", ".qoi", ".dds", ".sgi",
    }
)  # fmt: skip
VIDEOS = frozenset(
    {
        ".mp4", ".m4v", ".mov", ".qt", ".avi", ".mkv", ".mk3d", ".webm", ".ts", ".mts", ".m2ts", ".m2t", ".mpg", ".mpeg",
        ".mpe", ".m1v", ".m2v", ".vob", ".flv", ".f4v", ".wmv", ".asf", ".ogv", ".ogm", ".3gp", ".3g2", ".mxf", ".dv",
        ".mjpg", ".mjpeg", ".h264", ".264", ".avc", ".h265", ".265", ".hevc", ".ivf", ".obu", ".y4m", ".nut", ".gxf",
    }
)  # fmt: skip
_JPEGS_ONE_AFTER_ANOTHER = frozenset({".mjpg", ".mjpeg"})
_HEAD = 1024
_CONTAINERS = re.compile(  # how files of videos begin
    rb"....(?:ftyp|moov|mdat|wide|free|skip)|\x1aE\xdf\xa3|RIFF....AVI |FLV\x01|OggS|\x30\x26\xb2\x75\x8e\x66\xcf\x11"
    rb"|\x00\x00\x01[\xb3\xba]|\x00\x00(?:\x00)?\x01[\x67\x09\x40\x46]|DKIF|YUV4MPEG2|\x06\x0e\x2b\x34|G.{187}G.{187}G",
    re.DOTALL,
)
_NOT_READ = re.compile(  # pictures that a reader of videos would take for one, and give a part of
    rb".{4}ftyp(?:he[iv][cmsx]|mif1|msf1|miaf)|.{4}JXL |\xff\x0a|\x76\x2f\x31\x01", re.DOTALL
)


def kind_of(path: Path) -> Kind | None:
    """What it is by its content, whatever its name says; by its name where the content does not tell, or it cannot be read."""
    named, held = kind_of_name(path), kind_of_content(path)
    return named if named == "video" and _is_jpeg(path) else held or named


def kind_of_name(path: Path) -> Kind | None:
    """What its suffix says."""
    suffix = path.suffix.lower()
    return "picture" if suffix in PICTURES else "video" if suffix in VIDEOS else None


def kind_of_content(path: Path) -> Kind | None:
    """What its first bytes say; None too if it cannot be read. A video may begin like a picture, where its name tells."""
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
    except OSError:
        return None
    if head.startswith(b"\xff\xd8\xff") and path.suffix.lower() in _JPEGS_ONE_AFTER_ANOTHER:
        return "video"
    if known(head) or _NOT_READ.match(head):
        return "picture"
    return "video" if _CONTAINERS.match(head) else None


def _is_jpeg(path: Path) -> bool:
    """Whether it begins with a JPEG: a video may be nothing but JPEGs, one after another."""
    try:
        with path.open("rb") as file:
            return file.read(3) == b"\xff\xd8\xff"
    except OSError:
        return False
