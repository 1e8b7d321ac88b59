"""Files without their end."""

from kits.media.expected import Refused, Spoiled
from kits.media.making import Spoilt, Video
from kits.media.row import Row
from kits.media.spoiling import Cut
from kits.media.table.damage import FFV1, GROUP, H264, H264_B, JPEG, MPEG2, VP9

FRAMES = 32
INDEX_FIRST = Video(f"{H264.encode} -movflags +faststart", frames=FRAMES)
FRAGMENTS = Video(f"{H264.encode} -movflags +frag_keyframe+empty_moov", frames=FRAMES)
THEORA = Video("-c:v libtheora -q:v 10", frames=FRAMES)
WMV2 = Video("-c:v wmv2 -q:v 2", frames=FRAMES)
DV = Video("-c:v dvvideo -s 720x576", rate="25", frames=8)
Y4M = Video("-f yuv4mpegpipe", frames=FRAMES)


def _known(name, of, share, *, short=False, frames=FRAMES):
    """The container tells what is missing. A packet that was cut may take its group with it."""
    return Row(
        name, Spoilt(of, Cut(share)), Spoiled(int(frames * (1 - share)) + GROUP, truncated=True), short
    )


def _unknown(name, of, share, *, short=False, frames=FRAMES):
    """The container does not."""
    return Row(name, Spoilt(of, Cut(share)), Spoiled(int(frames * (1 - share)) + GROUP, silent=True), short)


def _refused(name, of, share, *words, short=False):
    return Row(name, Spoilt(of, Cut(share)), Refused(words), short)


ROWS = [
    *(
        _known(f"index-first-{share}.mp4", INDEX_FIRST, share, short=share == 0.6)
        for share in (0.97, 0.6, 0.3)
    ),
    *(_known(f"matroska-{share}.mkv", H264_B, share, short=share == 0.6) for share in (0.95, 0.6, 0.3)),
    _known("webm-0.6.webm", VP9, 0.6),
    _known("ffv1-0.6.mkv", FFV1, 0.6),
    *(_known(f"riff-{share}.avi", JPEG, share) for share in (0.9, 0.6)),
    _known("riff-h264-0.6.avi", H264, 0.6, short=True),
    _known("flash-0.6.flv", H264, 0.6),
    _known("windows-0.6.wmv", WMV2, 0.6),
    _known("fragments-0.55.mp4", FRAGMENTS, 0.55),
    _unknown("transport-0.6.ts", H264, 0.6, short=True),
    _unknown("transport-mpeg2-0.61.ts", MPEG2, 0.61),
    _unknown("program-0.6.mpg", MPEG2, 0.6),
    _unknown("h264-alone-0.6.h264", H264, 0.6),
    _unknown("ogg-0.6.ogv", THEORA, 0.6),
    _unknown("nut-0.6.nut", H264, 0.6),
    # Its last frame is cut, and every part of one decodes by itself.
    Row("dv-0.55.dv", Spoilt(DV, Cut(0.55)), Spoiled(5, silent=True, hidden=True)),
    _unknown("y4m-0.55.y4m", Y4M, 0.55),
    _refused("index-last-0.9.mp4", H264, 0.9, "index", short=True),
    _refused("index-last-0.5.mov", JPEG, 0.5, "index"),
    _refused("first-bytes-of.mkv", H264, 0.01, "not a video"),
    _refused("first-bytes-of.avi", JPEG, 0.01),
]
