"""Files with more than one picture stream, with none, and files that are no videos."""

from functools import partial

from kits.ffmpeg import ffmpeg
from kits.media.expected import Refused, Whole
from kits.media.making import Video, Written
from kits.media.reference import shown
from kits.media.row import Row

H264 = "-c:v libx264 -crf 12"
SOUND = "-f lavfi -i sine=duration=1.2"
OTHER = "-f lavfi -i testsrc=size=320x240:rate=10:duration=1.2"
SMALL = "-f lavfi -i testsrc=size=64x48:rate=10:duration=1.2"
CAPTIONS = "data:text/plain;base64,MQowMDowMDowMCwxMDAgLS0+IDAwOjAwOjAwLDkwMApIZWxsbwo="
COVER = "-f lavfi -i testsrc=size=300x300:rate=1:duration=1"


def _row(name, encode, *, short=False, reference=shown, clock="same", **how):
    return Row(name, Video(encode, **how), Whole(reference, clock), short)


def _refused(name, what, *words, short=False):
    return Row(name, Written(what), Refused(words), short)


def _made(*arguments):
    return lambda path: ffmpeg(*arguments, path)


def _bytes(data):
    return lambda path: path.write_bytes(data)


ROWS = [
    _row("with-sound.mp4", f"{H264} -map 0:v -map 1:a -c:a aac", beside=SOUND, short=True),
    _row("sound-first.mkv", f"{H264} -map 1:a -map 0:v -c:a aac", beside=SOUND),
    _row("with-sound.ts", f"{H264} -map 0:v -map 1:a -c:a mp2", beside=SOUND, clock="between"),
    _row("with-sound.avi", f"{H264} -map 1:a -map 0:v -c:a mp3", beside=SOUND, clock="between"),
    _row("sound-is-longer.mp4", f"{H264} -map 0:v -map 1:a -c:a aac", beside="-f lavfi -i sine=duration=9"),
    _row("sound-is-earlier.mkv", f"{H264} -map 0:v -map 1:a -c:a aac", beside="-itsoffset -0.7 -f lavfi -i sine=duration=3"),
    _row("phone.amv", "-map 0:v -map 1:a -c:v amv -c:a adpcm_ima_amv -ar 22050 -ac 1 -block_size 1470 -f amv",
         beside=SOUND, size="160x128", rate="15", pixels="yuvj420p"),
    _row("two-pictures-first-marked.mkv", f"{H264} -map 0:v -map 1:v -disposition:v:0 default", beside=OTHER),
    _row("two-pictures-second-marked.mkv", f"{H264} -map 1:v -map 0:v -disposition:v:0 0 -disposition:v:1 default",
         beside=OTHER, reference=partial(shown, stream="v:1")),
    _row("two-pictures-second-marked.mp4", f"{H264} -map 1:v -map 0:v -disposition:v:0 0 -disposition:v:1 default",
         beside=OTHER, reference=partial(shown, stream="v:1")),
    _row("small-picture-beside.ts", f"{H264} -map 0:v -map 1:v", beside=SMALL),
    _row("cover-behind.mp4", f"{H264} -map 0:v -map 1:v -c:v:1 mjpeg -frames:v:1 1 -disposition:v:1 attached_pic",
         beside=COVER, short=True),
    _row("cover-first.mkv", f"{H264} -map 1:v -map 0:v -c:v:0 png -frames:v:0 1 -disposition:v:0 attached_pic",
         beside=COVER),
    _row("with-time-code.mov", f"{H264} -timecode 01:02:03:04", rate="25"),
    _row("with-time-code.mxf", "-c:v mpeg2video -q:v 2 -timecode 01:02:03:04", rate="25"),
    _row("with-subtitles.mkv", f"{H264} -map 0:v -map 1:s -c:s srt", beside=f"-f srt -i '{CAPTIONS}'"),
    _refused("sound.m4a", _made("-f", "lavfi", "-i", "sine=duration=1"), "no video", short=True),
    _refused("sound.wav", _made("-f", "lavfi", "-i", "sine=duration=1"), "no video"),
    _refused("sound.mp3", _made("-f", "lavfi", "-i", "sine=duration=1"), "no video"),
    _refused("sound-with-a-cover.mp3", lambda path: ffmpeg(
        "-f", "lavfi", "-i", "sine=duration=1", "-f", "lavfi", "-i", "testsrc=size=64x64:rate=1:duration=1",
        "-map", "0", "-map", "1", "-c:v", "mjpeg", "-disposition:v", "attached_pic", path), "cover"),
    _refused("nothing.mp4", _bytes(b""), "empty"),
    _refused("zeros.mp4", _bytes(bytes(10_000)), "not a video"),
    _refused("text.avi", _bytes(b"This is not a video.\n" * 50), "not a video"),
    _refused("program.mkv", _bytes(b"\x7fELF" + bytes(range(256)) * 20), "not a video"),
    _refused("page.mp4", _bytes(b"<!DOCTYPE html><html><body>Not found</body></html>\n"), "not a video"),
]  # fmt: skip
