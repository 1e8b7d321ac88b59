"""Frame rates, steady and not; where the clock begins; what was trimmed."""

from kits.media.expected import Whole
from kits.media.making import Copied, Video
from kits.media.row import Row

H264 = "-c:v libx264 -crf 12"
B_FRAMES = f"{H264} -bf 3 -g 8"
# Three frames of every ten.
BURSTS = r"-vf 'select=lt(mod(n\,10)\,3)' -fps_mode vfr"
# Every frame later than the one before by one more unit.
SLOWER = "-vf settb=1/1000,setpts=10*N*(N+1)/TB/1000 -fps_mode vfr -enc_time_base 1/1000"


def _row(name, encode=H264, *, short=False, clock="same", frames=24, **how):
    return Row(name, Video(encode, frames=frames, **how), Whole(clock=clock), short)


def _trimmed(name, before, behind="", encode=B_FRAMES, suffix=".mp4", **how):
    return Row(name, Copied(Video(encode, frames=24), before, behind, suffix), Whole(), **how)


ROWS = [
    *(
        _row(
            f"steady-{rate.replace('/', '-in-')}.{suffix}",
            rate=rate,
            frames=12,
            clock="between" if suffix == "avi" else "same",
        )
        for rate, suffix in (
            ("24000/1001", "mp4"),
            ("30000/1001", "ts"),
            ("60000/1001", "mkv"),
            ("50", "mov"),
            ("120", "mp4"),
            ("240", "mkv"),
            ("1", "mp4"),
            ("1/10", "mkv"),
            ("12.5", "avi"),
            ("15", "flv"),
            ("7/3", "mp4"),
        )
    ),
    _row("bursts.mp4", f"{H264} {BURSTS}", frames=60, rate="30", short=True),
    _row("bursts.mkv", f"{H264} {BURSTS}", frames=60, rate="30"),
    _row("bursts.webm", f"-c:v libvpx-vp9 -b:v 0 -crf 12 -cpu-used 8 {BURSTS}", frames=60, rate="30"),
    _row("bursts.ts", f"{H264} {BURSTS}", frames=60, rate="30"),
    _row("bursts.flv", f"{H264} {BURSTS}", frames=60, rate="30"),
    _row("bursts-padded.avi", f"-c:v mpeg4 -q:v 2 {BURSTS}", frames=60, rate="30"),
    _row("slower-and-slower.mp4", f"{H264} {SLOWER}"),
    _row("slower-and-slower.mkv", f"{B_FRAMES} {SLOWER}"),
    _row("one-frame.mp4", frames=1),
    _row("one-frame.mkv", frames=1),
    _row("two-frames-a-day-apart.mkv", f"{H264} -vf setpts=N*86400/TB -fps_mode vfr", frames=2),
    _row("timebase-of-a-millionth.mp4", f"{H264} -video_track_timescale 1000000"),
    _row("b-frames-16.mkv", f"{H264} -bf 16 -b_strategy 0"),
    _row("b-frames-pyramid.mp4", f"{H264} -bf 8 -b-pyramid normal -refs 8 -b_strategy 0"),
    _row("open-gop.mkv", f"{H264} -bf 3 -g 6 -flags -cgop -x264-params open-gop=1:scenecut=0", short=True),
    _row("open-gop.ts", f"{H264} -bf 3 -g 6 -flags -cgop -x264-params open-gop=1:scenecut=0"),
    _row("starts-at-5.mp4", f"{B_FRAMES} -output_ts_offset 5"),
    _row("starts-at-5.mkv", f"{B_FRAMES} -output_ts_offset 5", short=True),
    _row("starts-at-5.ts", f"{B_FRAMES} -output_ts_offset 5"),
    _row("starts-at-5.flv", f"{B_FRAMES} -output_ts_offset 5"),
    _row("clock-that-wraps.ts", f"{B_FRAMES} -output_ts_offset 95442.5"),
    _row("starts-before-0.mkv", f"{B_FRAMES} -avoid_negative_ts disabled"),
    _trimmed("trimmed.mp4", "-ss 0.95", short=True),
    _trimmed("trimmed.mov", "-ss 1.33"),
    _trimmed("trimmed.mkv", "-ss 0.95"),
    _trimmed("trimmed.ts", "-ss 0.95"),
    _trimmed("trimmed-at-both-ends.mp4", "-ss 0.95 -to 1.75"),
    _trimmed("trimmed-without-an-edit-list.mp4", "-ss 0.95", "-use_editlist 0"),
    _trimmed(
        "trimmed-in-an-open-gop.mp4",
        "-ss 0.95",
        encode=f"{H264} -bf 3 -g 6 -x264-params open-gop=1:scenecut=0",
    ),
    _trimmed("trimmed-at-the-end.avi", "-t 1.5", suffix=".avi", encode="-c:v mpeg4 -q:v 2 -bf 2"),
    _trimmed("stretched.mp4", "-itsscale 2.5"),
    _trimmed("shifted.mp4", "-itsoffset 3.5"),
]
