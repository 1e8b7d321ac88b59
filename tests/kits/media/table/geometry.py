"""Shapes: pixels that are not square, turned and mirrored pictures, cut edges, odd sizes."""

from kits.media.expected import Whole
from kits.media.making import Copied, Video
from kits.media.row import Row

H264 = "-c:v libx264 -crf 8"
MPEG2 = "-c:v mpeg2video -q:v 2"
# Wide enough that no side becomes so small that rounding it shows.
SHAPES = ("2/1", "1/2", "4/3", "16/11", "12/11", "32/27", "3/4")


def _row(name, encode, *, short=False, **how):
    return Row(name, Video(encode, **how), Whole(), short)


def _turned(name, before, behind="", encode=H264, *, short=False, suffix=".mp4", **how):
    return Row(name, Copied(Video(encode, **how), before, behind, suffix), Whole(), short)


def _told(name, bits, suffix=".mp4", clock="same"):
    """Turned by the codec's own message."""
    return Row(
        name, Copied(Video(H264), behind=f"-bsf:v h264_metadata={bits}", suffix=suffix), Whole(clock=clock)
    )


ROWS = [
    *(_row(f"pixels-{shape.replace('/', 'x')}.mp4", f"{H264} -vf setsar={shape}", short=shape == "2/1") for shape in SHAPES),
    *(_row(f"pixels-{shape.replace('/', 'x')}.mkv", f"{H264} -vf setsar={shape}") for shape in ("1/2", "16/11")),
    *(_row(f"pixels-{shape.replace('/', 'x')}.ts", f"{H264} -vf setsar={shape}") for shape in ("2/1", "12/11")),
    Row("pixels-1x2.avi", Video(f"{H264} -vf setsar=1/2"), Whole(clock="between")),
    _row("pixels-4x3.mov", "-c:v prores_ks -vf setsar=4/3", pixels="yuv422p10le"),
    _row("pixels-4x3.webm", "-c:v libvpx-vp9 -crf 8 -b:v 0 -cpu-used 8 -vf setsar=4/3"),
    _row("pixels-4x3-h265.mp4", "-c:v libx265 -x265-params crf=8:log-level=none -vf setsar=4/3"),
    _row("pixels-4x3-av1.mp4", "-c:v libsvtav1 -crf 8 -preset 10 -vf setsar=4/3"),
    _row("pixels-12x11-mpeg4.avi", "-c:v mpeg4 -q:v 2 -vf setsar=12/11"),
    _row("wide-screen-of-tv.mpg", f"{MPEG2} -aspect 16:9", size="352x288", rate="25", short=True),
    _row("narrow-screen-of-tv.ts", f"{MPEG2} -aspect 4:3", size="352x288", rate="25"),
    _row("wide-screen-of-tv.vob", f"{MPEG2} -aspect 16:9", size="720x576", rate="25", frames=3),
    _row("pixels-by-jfif.avi", "-c:v mjpeg -q:v 2 -vf setsar=2/1", pixels="yuvj420p"),
    _row("pixels-unknown.mp4", f"{H264} -vf setsar=0"),
    _row("pixels-absurd.mkv", "-c:v ffv1 -vf setsar=1001/1000"),
    Row("pixels-of-the-container-only.mp4", Copied(Video(H264), behind="-aspect 2:1"), Whole()),
    Row("pixels-of-the-container-only.mkv", Copied(Video(H264), behind="-aspect 2:1"), Whole()),
    Row(
        "pixels-of-the-codec-only.ts",
        Copied(Video(H264), behind="-bsf:v h264_metadata=sample_aspect_ratio=3/2"),
        Whole(),
    ),
    Row(
        "pixels-that-disagree.mkv",
        Copied(Video(f"{H264} -vf setsar=2"), behind="-aspect 160:120"),
        Whole(),
    ),
    *(_turned(f"turned-{angle}.mp4", f"-display_rotation {angle}", short=angle == 90) for angle in (90, 180, 270)),
    *(_turned(f"turned-{angle}.mkv", f"-display_rotation {angle}") for angle in (90, 180)),
    _turned("turned-270.mov", "-display_rotation 270", encode="-c:v prores_ks", suffix=".mov", pixels="yuv422p10le"),
    _turned("turned-90-h265.mp4", "-display_rotation 90", encode="-c:v libx265 -x265-params crf=8:log-level=none"),
    _turned("turned-90-jpegs.mov", "-display_rotation 90", encode="-c:v mjpeg -q:v 2", suffix=".mov", pixels="yuvj420p"),
    _turned("mirrored.mp4", "-display_hflip", short=True),
    _turned("upside-down.mp4", "-display_vflip"),
    _turned("mirrored-and-turned-90.mp4", "-display_hflip -display_rotation 90"),
    _turned("mirrored-and-turned-270.mov", "-display_hflip -display_rotation 270"),
    _turned("mirrored.mkv", "-display_hflip"),
    _turned("turned-90-with-pixels-2x1.mp4", "-display_rotation 90", encode=f"{H264} -vf setsar=2", short=True),
    _turned("turned-270-with-pixels-1x2.mov", "-display_rotation 270", encode=f"{H264} -vf setsar=1/2"),
    _turned("turned-90-odd.mp4", "-display_rotation 90", size="161x121", encode="-c:v libx264 -crf 8", pixels="yuv444p"),
    _turned("turned-90-10-bit.mp4", "-display_rotation 90", pixels="yuv420p10le"),
    _told("told-to-turn-90.mp4", "rotate=90:display_orientation=insert"),
    _told("told-to-turn-270.ts", "rotate=270:display_orientation=insert", ".ts"),
    _told("told-to-mirror.mkv", "flip=horizontal:display_orientation=insert", ".mkv"),
    _told("told-to-turn.h264", "rotate=180:display_orientation=insert", ".h264", "none"),
    Row(
        "cut-by-the-codec.mp4",
        Copied(Video(H264), behind="-bsf:v h264_metadata=crop_left=16:crop_top=8:crop_right=4:crop_bottom=2"),
        Whole(),
    ),
    Row(
        "cut-by-the-codec-h265.mp4",
        Copied(
            Video("-c:v libx265 -x265-params crf=8:log-level=none"),
            behind="-bsf:v hevc_metadata=crop_left=16:crop_top=8:crop_right=4:crop_bottom=2",
        ),
        Whole(),
    ),
    *(
        _row(f"size-{size}.{suffix}", encode, size=size, pixels=pixels, frames=4)
        for size, suffix, encode, pixels in (
            ("161x121", "mp4", H264, "yuv444p"), ("162x122", "mp4", H264, "yuv420p"), ("34x18", "mkv", H264, "yuv420p"),
            ("61x47", "mkv", "-c:v ffv1", "yuv420p"), ("175x143", "avi", "-c:v mjpeg -q:v 2", "yuvj420p"),
            ("191x107", "webm", "-c:v libvpx-vp9 -crf 8 -b:v 0 -cpu-used 8", "yuv420p"), ("2000x16", "mkv", H264, "yuv420p"),
            ("16x1200", "mkv", H264, "yuv420p"), ("1920x1080", "mp4", H264, "yuv420p"), ("37x1", "mkv", "-c:v ffv1", "bgr0"),
            ("197x113", "mp4", "-c:v libsvtav1 -crf 8 -preset 10", "yuv420p"), ("99x77", "mov", "-c:v png", "rgb24"),
        )
    ),
]  # fmt: skip
