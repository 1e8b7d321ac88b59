"""Layouts and depths of pixels."""

from kits.media.expected import Whole
from kits.media.making import Video
from kits.media.row import Row

H264 = "-c:v libx264 -crf 8"


def _row(name, encode, pixels, *, short=False, **how):
    return Row(name, Video(encode, pixels=pixels, **how), Whole(), short)


ROWS = [
    *(
        _row(f"h264-{pixels}.mkv", H264, pixels, short=pixels in {"yuv422p", "yuv420p10le"})
        for pixels in (
            "yuv422p",
            "yuv444p",
            "nv12",
            "nv16",
            "yuv420p10le",
            "yuv422p10le",
            "yuv444p10le",
            "gray",
            "gray10le",
        )
    ),
    *(
        _row(f"h265-{pixels}.mp4", "-c:v libx265 -x265-params crf=8:log-level=none", pixels)
        for pixels in ("yuv422p", "yuv444p", "yuv420p12le", "yuv444p12le", "gray", "gray12le", "gbrp10le")
    ),
    *(
        _row(f"vp9-{pixels}.webm", "-c:v libvpx-vp9 -crf 8 -b:v 0 -cpu-used 8", pixels)
        for pixels in ("yuv444p", "yuv440p", "yuv420p10le", "yuv422p12le", "gbrp", "yuva420p")
    ),
    _row("av1-yuv420p10le.mp4", "-c:v libsvtav1 -crf 8 -preset 10", "yuv420p10le"),
    *(
        _row(f"ffv1-{pixels}.mkv", "-c:v ffv1 -level 3", pixels, short=pixels in {"gray16le", "rgb48le"})
        for pixels in (
            "gray",
            "gray10le",
            "gray16le",
            "yuv411p",
            "yuv410p",
            "yuv440p",
            "yuv420p9le",
            "yuv420p14le",
            "yuv444p16le",
            "yuva420p",
            "yuva444p10le",
            "bgr0",
            "bgra",
            "gbrp12le",
            "gbrap16le",
            "rgb48le",
        )
    ),
    *(
        _row(f"raw-{pixels}.nut", "-c:v rawvideo", pixels)
        for pixels in (
            "uyvy422",
            "nv21",
            "nv24",
            "p010le",
            "p016le",
            "p210le",
            "y210le",
            "rgb555le",
            "rgb565le",
            "rgb565be",
            "bgr8",
            "rgb4_byte",
            "monow",
            "monob",
            "pal8",
            "ya8",
            "ya16le",
            "abgr",
            "0rgb",
            "gbrpf32le",
            "grayf32le",
            "x2rgb10le",
            "rgba64le",
            "xyz12le",
            "vuya",
            "yvyu422",
        )
    ),
    _row("raw-yuyv422.mov", "-c:v rawvideo", "yuyv422"),
    _row("qtrle-argb.mov", "-c:v qtrle", "argb"),
    _row("prores-4444-alpha.mov", "-c:v prores_ks -profile:v 4", "yuva444p10le"),
    _row("png-16-bit.mov", "-c:v png", "rgb48be"),
    _row("png-grey-alpha.mov", "-c:v png", "ya8"),
    _row("palette.gif", "-c:v gif", "", short=True),
    _row("palette.avi", "-c:v rawvideo -vf format=pal8", ""),
    _row("palette-png.mov", "-c:v png -vf format=pal8", ""),
]
