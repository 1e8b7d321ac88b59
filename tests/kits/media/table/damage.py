"""Packets that are damaged or lost on the way."""

from kits.media.expected import Spoiled
from kits.media.making import Spoilt, Video
from kits.media.row import Row
from kits.media.spoiling import Beheaded, Hole, Missing, Packet, Padded, Transport

GROUP = 8
LONG = {"frames": 32}
H264 = Video(f"-c:v libx264 -crf 12 -g {GROUP} -bf 0 -x264-params scenecut=0", **LONG)
H264_B = Video(f"-c:v libx264 -crf 12 -g {GROUP} -bf 2 -x264-params scenecut=0", **LONG)
H264_SLICES = Video(f"-c:v libx264 -crf 12 -g {GROUP} -bf 0 -x264-params scenecut=0:slices=4", **LONG)
H265 = Video(
    f"-c:v libx265 -x265-params crf=12:keyint={GROUP}:bframes=2:scenecut=0:open-gop=0:log-level=none", **LONG
)
MPEG2 = Video(f"-c:v mpeg2video -q:v 2 -g {GROUP}", rate="25", **LONG)
MPEG4 = Video(f"-c:v mpeg4 -q:v 2 -g {GROUP}", **LONG)
VP8 = Video(f"-c:v libvpx -b:v 2M -qmin 0 -qmax 10 -g {GROUP}", **LONG)
VP9 = Video(f"-c:v libvpx-vp9 -crf 12 -b:v 0 -cpu-used 8 -g {GROUP} -lag-in-frames 0", **LONG)
AV1 = Video(f"-c:v libsvtav1 -crf 12 -preset 10 -g {GROUP}", **LONG)
JPEG = Video("-c:v mjpeg -q:v 2", pixels="yuvj420p", **LONG)
PNG = Video("-c:v png", pixels="rgb24", **LONG)
FFV1 = Video("-c:v ffv1 -level 3 -slices 4 -slicecrc 1 -g 1", **LONG)
PRORES = Video("-c:v prores_ks", pixels="yuv422p10le", **LONG)
KEY, INTER = 2 * GROUP, 2 * GROUP + 3


def _row(name, of, change, lost, *, short=False, **how):
    return Row(name, Spoilt(of, change), Spoiled(lost, **how), short)


ROWS = [
    _row("h264-zeros.mp4", H264, Packet(INTER, "zeros"), GROUP, short=True),
    _row("h264-zeros.mkv", H264, Packet(INTER, "zeros"), GROUP),
    _row("h264-zeros.avi", H264, Packet(INTER, "zeros"), GROUP),
    _row("h264-zeros.flv", H264, Packet(INTER, "zeros"), GROUP),
    _row("h264-zeros-b-frames.mp4", H264_B, Packet(INTER, "zeros"), GROUP + 2),
    _row("h264-key-zeros.mp4", H264, Packet(KEY, "zeros"), GROUP, short=True),
    _row("h264-first-zeros.mp4", H264, Packet(0, "zeros"), GROUP),
    _row("h264-last-zeros.mp4", H264, Packet(31, "zeros"), 1),
    _row("h264-four-zeros.mp4", H264, Packet(INTER, "zeros", 4), GROUP),
    _row("h264-noise.mp4", H264, Packet(INTER, "noise"), GROUP),
    _row("h264-noise-b-frames.mkv", H264_B, Packet(INTER, "noise"), GROUP + 2),
    _row("h264-key-noise.mp4", H264, Packet(KEY, "noise"), GROUP, short=True),
    _row("h264-tail.mp4", H264, Packet(INTER, "tail"), GROUP),
    _row("h264-key-tail.mkv", H264, Packet(KEY, "tail"), GROUP),
    _row("h264-slices-tail.mp4", H264_SLICES, Packet(INTER, "tail"), GROUP),
    _row("h264-missing.mp4", H264, Missing(INTER), GROUP, hidden=True),
    _row("h264-missing.mkv", H264, Missing(INTER), GROUP, hidden=True),
    _row("h264-key-missing.mp4", H264, Missing(KEY), GROUP, hidden=True),
    _row("h264-three-missing-b-frames.mp4", H264_B, Missing(INTER, 3), GROUP + 2, hidden=True),
    _row("h264-lost.ts", H264, Transport(0.55), GROUP, short=True),
    _row("h264-many-lost.ts", H264, Transport(0.55, 27), 2 * GROUP),
    _row("h264-noise.ts", H264, Transport(0.55, 3, noise=True), 2 * GROUP),
    _row("h264-lost-b-frames.ts", H264_B, Transport(0.55, 2), 2 * GROUP),
    _row("h264-tuned-in.ts", H264, Beheaded(0.3), 16, moved=True),
    _row("h264-zeros-alone.h264", H264, Packet(INTER, "zeros"), GROUP, hidden=True),
    _row("h265-zeros.mp4", H265, Packet(INTER, "zeros"), GROUP + 2, short=True),
    _row("h265-key-zeros.mkv", H265, Packet(KEY, "zeros"), GROUP + 2),
    _row("h265-noise.mp4", H265, Packet(INTER, "noise"), GROUP + 2, hidden=True),
    _row("h265-missing.mp4", H265, Missing(INTER), GROUP + 2),
    _row("h265-lost.ts", H265, Transport(0.55), 2 * GROUP),
    _row("mpeg2-lost.ts", MPEG2, Transport(0.55), 2 * GROUP, short=True),
    _row("mpeg2-noise.ts", MPEG2, Transport(0.55, 3, noise=True), 2 * GROUP),
    _row("mpeg2-hole.mpg", MPEG2, Hole(0.5, 0.52), 2 * GROUP),
    _row("mpeg4-zeros.avi", MPEG4, Packet(INTER, "zeros"), GROUP),
    _row("mpeg4-noise.mp4", MPEG4, Packet(INTER, "noise"), GROUP),
    _row("mpeg4-missing.mp4", MPEG4, Missing(INTER), GROUP, hidden=True),
    _row("vp8-noise.webm", VP8, Packet(INTER, "noise"), GROUP, hidden=True),
    _row("vp8-zeros.webm", VP8, Packet(INTER, "zeros"), GROUP),
    _row("vp9-zeros.webm", VP9, Packet(INTER, "zeros"), GROUP),
    _row("vp9-noise.webm", VP9, Packet(INTER, "noise"), GROUP, hidden=True),
    _row("vp9-missing.mkv", VP9, Missing(INTER), GROUP, hidden=True),
    _row("av1-zeros.mp4", AV1, Packet(INTER, "zeros"), GROUP),
    _row("av1-noise.mkv", AV1, Packet(INTER, "noise"), GROUP),
    _row("jpegs-zeros.avi", JPEG, Packet(INTER, "zeros"), 1, short=True),
    _row("jpegs-tail.avi", JPEG, Packet(INTER, "tail"), 1),
    _row("jpegs-noise.mkv", JPEG, Packet(INTER, "noise"), 1),
    _row("jpegs-five-tail.mov", JPEG, Packet(INTER, "tail", 5), 5),
    _row("pngs-noise.mov", PNG, Packet(INTER, "noise"), 1),
    _row("pngs-tail.mov", PNG, Packet(INTER, "tail"), 1),
    _row("ffv1-noise.mkv", FFV1, Packet(INTER, "noise"), 1),
    _row("ffv1-flip.mkv", FFV1, Packet(INTER, "flip"), 1),
    _row("prores-tail.mov", PRORES, Packet(INTER, "tail"), 1),
    _row("hole.mp4", H264, Hole(0.4, 0.5), 2 * GROUP),
    _row("hole.mkv", H264, Hole(0.4, 0.5), 2 * GROUP),
    _row("hole.avi", JPEG, Hole(0.4, 0.5), 6, moved=True),
    _row("hole.flv", H264, Hole(0.4, 0.5), 2 * GROUP),
    _row("padded.mp4", H264, Padded(5000), 0, silent=True),
    _row("padded.ts", H264, Padded(18800), 0, silent=True),
    _row("padded.avi", JPEG, Padded(5000), 0, silent=True),
]
