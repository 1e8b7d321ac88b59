"""Interlaced frames, marked so in every way that a codec or a container has."""

from functools import partial

from kits.media.expected import Whole
from kits.media.making import Copied, Video
from kits.media.reference import shown
from kits.media.row import Row

deinterlaced = partial(shown, interlaced=True)
X264 = "-c:v libx264 -crf 8 -flags +ilme+ildct -x264-params"
MPEG2 = "-c:v mpeg2video -q:v 2 -flags +ilme+ildct"
# Two moments in each frame: odd lines of one, even lines of the other.
TOP_FIRST = "-vf tinterlace=interleave_top,setfield=tff"
BOTTOM_FIRST = "-vf tinterlace=interleave_bottom,setfield=bff"
# Film on television: three frames of five are whole, two are woven of others. Marked as a whole, or frame by frame.
TELECINED = "-vf telecine=first_field=top,setfield=tff"


def _row(name, encode, *, short=False, rate="50", clock="same", **how):
    return Row(name, Video(encode, rate=rate, frames=24, **how), Whole(deinterlaced, clock), short)


ROWS = [
    _row("h264-top.mp4", f"{X264} tff=1 {TOP_FIRST}", short=True),
    _row("h264-bottom.mp4", f"{X264} bff=1 {BOTTOM_FIRST}", short=True),
    _row("h264-top.mkv", f"{X264} tff=1 {TOP_FIRST}"),
    _row("h264-top.ts", f"{X264} tff=1:bframes=3 {TOP_FIRST}"),
    _row("h264-bottom.mov", f"{X264} bff=1:bframes=0 {BOTTOM_FIRST}"),
    _row("h264-top.avi", f"{X264} tff=1:bframes=0 {TOP_FIRST}", clock="between"),
    _row("h264-top-alone.h264", f"{X264} tff=1:bframes=0 {TOP_FIRST}", clock="none"),
    _row("h264-top-422-10-bit.mkv", f"{X264} tff=1 {TOP_FIRST}", pixels="yuv422p10le"),
    _row("h264-whole-but-marked.mp4", "-c:v libx264 -crf 8 -x264-params fake-interlaced=1"),
    _row("mpeg2-top.mpg", f"{MPEG2} {TOP_FIRST}", short=True),
    _row("mpeg2-bottom.ts", f"{MPEG2} {BOTTOM_FIRST}"),
    _row("mpeg2-top-b-frames.ts", f"{MPEG2} -bf 2 {TOP_FIRST}"),
    _row("mpeg2-top-422.mxf", f"{MPEG2} {TOP_FIRST}", pixels="yuv422p"),
    _row("mpeg2-top-wide.vob", f"{MPEG2} -aspect 16:9 {TOP_FIRST}", size="352x288"),
    _row("mpeg4-top.avi", f"-c:v mpeg4 -q:v 2 -flags +ilme+ildct {TOP_FIRST}"),
    _row("mpeg4-bottom.mp4", f"-c:v mpeg4 -q:v 2 -flags +ilme+ildct {BOTTOM_FIRST}"),
    _row("ffv1-top.mkv", f"-c:v ffv1 {TOP_FIRST}"),
    _row("prores-top.mov", f"-c:v prores_ks -flags +ildct+ilme {TOP_FIRST}", pixels="yuv422p10le"),
    _row("prores-bottom.mov", f"-c:v prores_ks -flags +ildct+ilme {BOTTOM_FIRST}", pixels="yuv422p10le"),
    _row(
        "dnxhd-top.mov",
        f"-c:v dnxhd -b:v 120M -flags +ildct+ilme {TOP_FIRST}",
        size="1920x1080",
        pixels="yuv422p",
    ),
    _row("dv-bottom.avi", f"-c:v dvvideo {BOTTOM_FIRST}", size="720x576"),
    _row("jpegs-top.mov", f"-c:v mjpeg -q:v 2 {TOP_FIRST} -field_order tt", pixels="yuvj422p"),
    _row("raw-top.avi", f"-c:v rawvideo {TOP_FIRST}", pixels="uyvy422"),
    _row("ut-video-top.avi", f"-c:v utvideo -flags +ildct {TOP_FIRST}", pixels="yuv422p"),
    _row("film-on-tv.ts", f"{MPEG2} {TELECINED}", rate="24000/1001"),
    _row("film-on-tv.mp4", f"{X264} tff=1 {TELECINED}", rate="24000/1001"),
    _row("wide-pixels-top.mp4", f"{X264} tff=1 {TOP_FIRST},setsar=16/11"),
    _row("odd-height-top.mkv", f"-c:v ffv1 {TOP_FIRST}", size="160x121"),
    Row(
        "turned-top.mp4",
        Copied(Video(f"{X264} tff=1 {TOP_FIRST}", rate="50", frames=24), "-display_rotation 90"),
        Whole(partial(shown, interlaced=True, turned="transpose=cclock")),
    ),
    Row(
        "mirrored-bottom.mp4",
        Copied(Video(f"{X264} bff=1 {BOTTOM_FIRST}", rate="50", frames=24), "-display_hflip"),
        Whole(deinterlaced),
    ),
    Row(
        "trimmed-top.mp4",
        Copied(Video(f"{X264} tff=1:keyint=8 {TOP_FIRST}", rate="50", frames=48), "-ss 0.45"),
        Whole(deinterlaced),
    ),
]
