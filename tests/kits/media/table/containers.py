"""Containers."""

from kits.media.expected import Whole
from kits.media.making import Copied, Video
from kits.media.row import Row

H264 = "-c:v libx264 -crf 12 -bf 2"
MPEG2 = "-c:v mpeg2video -q:v 2"


def _row(name, encode=H264, *, short=False, clock="same", **how):
    return Row(name, Video(encode, **how), Whole(clock=clock), short)


ROWS = [
    _row("index-first.mp4", f"{H264} -movflags +faststart"),
    _row("fragments.mp4", f"{H264} -g 4 -movflags +frag_keyframe+empty_moov+default_base_moof", short=True),
    _row("fragments-one-a-frame.mp4", f"{H264} -movflags +frag_every_frame+empty_moov"),
    _row("fragments-without-a-global-index.mp4", f"{H264} -g 4 -movflags +frag_keyframe+dash+skip_trailer"),
    _row("fragments-first-whole.mp4", f"{H264} -g 4 -movflags +frag_keyframe"),
    _row("smooth-streaming.ismv", f"{H264} -g 4"),
    _row("quicktime.mov"),
    _row("itunes.m4v"),
    _row("mobile.3g2", "-c:v mpeg4 -q:v 2"),
    _row("flash.flv", short=True),
    _row("flash.f4v"),
    _row("matroska.mkv", short=True),
    _row("matroska-live.mkv", f"{H264} -live 1"),
    _row("matroska-cues-first.mkv", f"{H264} -reserve_index_space 2000"),
    _row("matroska-clusters-of-one-frame.mkv", f"{H264} -cluster_time_limit 1"),
    _row("matroska-vfw.mkv", "-c:v mpeg4 -q:v 2 -bf 2"),
    _row("webm-live.webm", "-c:v libvpx-vp9 -crf 12 -b:v 0 -cpu-used 8 -live 1"),
    _row("transport.ts", short=True),
    _row("transport-h265.ts", "-c:v libx265 -x265-params crf=12:log-level=none"),
    _row("transport-blu-ray.m2ts", f"{H264} -mpegts_m2ts_mode 1"),
    _row("program.mpg", MPEG2, rate="25"),
    _row("program.vob", f"{MPEG2} -bf 2", rate="25"),
    _row("program-h264.mpg", f"{H264} -f vob", rate="25"),
    _row("video-cd.mpg", "-c:v mpeg1video -q:v 2 -f vcd -s 352x288", size="352x288", rate="25"),
    _row("riff.avi", clock="between"),
    _row("riff-open-dml.avi", "-c:v rawvideo", size="320x240", frames=24, pixels="bgr24"),
    _row("riff-h264-b-frames.avi", "-c:v libx264 -crf 12 -bf 3", clock="between"),
    _row(
        "riff-without-index.avi",
        "-c:v mjpeg -q:v 2 -reserve_index_space 0 -write_channel_mask 0",
        pixels="yuvj420p",
    ),
    _row("windows.asf", "-c:v wmv2 -q:v 2"),
    _row("windows-media-center.wtv", MPEG2, rate="25"),
    _row("ogg.ogg", "-c:v libtheora -q:v 10"),
    _row("ogg-vp8.ogv", "-c:v libvpx -b:v 2M"),
    _row("broadcast.mxf", MPEG2, rate="25", size="176x144"),
    _row("broadcast-h264.mxf", H264, rate="25"),
    _row("broadcast.gxf", f"{MPEG2} -s 720x576 -pix_fmt yuv420p -g 12", size="720x576", rate="25", frames=4),
    _row("nut.nut"),
    _row("ivf-vp9.ivf", "-c:v libvpx-vp9 -crf 12 -b:v 0 -cpu-used 8"),
    _row("ivf-av1.ivf", "-c:v libsvtav1 -crf 12 -preset 10"),
    _row("av1-alone.obu", "-c:v libsvtav1 -crf 12 -preset 10 -f obu"),
    _row("y4m.y4m", "-strict -1"),
    _row("flash-movie.swf", "-c:v flv -q:v 2"),
    _row("h264-alone.h264", "-c:v libx264 -crf 12 -bf 0 -f h264", clock="none", short=True),
    _row("h264-alone-b-frames.h264", f"{H264} -f h264", clock="none"),
    _row("h265-alone.hevc", "-c:v libx265 -x265-params crf=12:log-level=none -f hevc", clock="none"),
    _row("mpeg2-alone.m2v", f"{MPEG2} -bf 2 -f mpeg2video", rate="25", clock="between"),
    _row("mpeg4-alone.m4v", "-c:v mpeg4 -q:v 2 -f m4v"),
    _row("jpegs-alone.mjpeg", "-c:v mjpeg -q:v 2 -f mjpeg", pixels="yuvj420p"),
    _row("jpegs-in-parts.mjpg", "-c:v mjpeg -q:v 2 -f mpjpeg", pixels="yuvj420p"),
    _row("dirac-alone.drc", "-c:v vc2 -b:v 8M -f dirac", pixels="yuv422p", clock="none"),
    Row("copied-to-avi.avi", Copied(Video(H264)), Whole(clock="none")),
    Row("copied-to-ts.ts", Copied(Video(H264)), Whole()),
    Row("copied-from-ts.mkv", Copied(Video(H264), suffix=".ts"), Whole()),
    Row("copied-from-avi.mp4", Copied(Video("-c:v mpeg4 -q:v 2"), suffix=".avi"), Whole()),
    _row("name without a suffix", f"{H264} -f matroska"),
    _row("name-that-lies.mp4", f"{H264} -f mpegts", short=True),
    _row("name-with-%d-and-[1].mp4"),
    _row("name-of-a-picture.mkv.jpg", f"{H264} -f matroska"),
]
