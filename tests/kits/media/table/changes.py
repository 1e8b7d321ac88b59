"""Streams that change on their way: size, shape, layout, marks."""

from dataclasses import dataclass

from kits.media.expected import Whole
from kits.media.making import Joined, Video, kept
from kits.media.reference import Seen, shown
from kits.media.row import Row

TS = "-c:v libx264 -crf 8 -bf 0"


@dataclass(frozen=True)
class Parts:
    """Every part as ffmpeg shows it alone; the clock goes on. `dropped`: numbers of pictures that its decoders do not give."""

    parts: tuple[Video, ...]
    interlaced: bool = False
    dropped: tuple[int, ...] = ()

    def __call__(self, path):
        """All pictures, without times."""
        files = [kept(part, path.parent, path.suffix) for part in self.parts]
        found = [seen for file in files for seen in shown(file, interlaced=self.interlaced)]
        return [Seen(seen.picture) for number, seen in enumerate(found) if number not in self.dropped]


def _row(name, *parts, short=False, **how):
    return Row(name, Joined(parts), Whole(Parts(parts, **how)), short)


def _part(encode=TS, index=0, **how):
    # Every part says that its counters begin anew.
    return Video(f"{encode} -mpegts_flags +initial_discontinuity -output_ts_offset {1.2 * index}", **how)


LARGE = {"size": "320x240"}
ROWS = [
    _row("size.ts", _part(), _part(index=1, **LARGE), _part(index=2), short=True),
    _row("size.h264", _part(), _part(index=1, **LARGE)),
    _row("size.hevc", *(_part("-c:v libx265 -x265-params crf=8:bframes=0:log-level=none", size=size) for size in ("160x120", "320x240"))),
    _row("size-mpeg2.mpg", *(_part("-c:v mpeg2video -q:v 2", index, size=size, rate="25") for index, size in enumerate(("160x128", "320x240"))), dropped=(11,)),  # findings/ffmpeg-drops-…
    _row("size.mjpeg", *(_part("-c:v mjpeg -q:v 2", size=size, pixels="yuvj420p") for size in ("160x120", "320x240", "96x64"))),
    _row("upright.ts", _part(size="160x96"), _part(index=1, size="96x160")),
    _row("pixels.ts", _part(f"{TS} -vf setsar=1"), _part(f"{TS} -vf setsar=2", 1), short=True),
    _row("layout.ts", _part(), _part(index=1, pixels="yuv444p")),
    _row("layout.mjpeg", *(_part("-c:v mjpeg -q:v 2", pixels=pixels) for pixels in ("yuvj420p", "yuvj422p", "yuvj444p"))),
    _row("depth.ts", _part(), _part(index=1, pixels="yuv420p10le")),
    _row("matrix.ts", *(_part(f"{TS} -vf scale=out_color_matrix={each} -colorspace {each}", index) for index, each in enumerate(("bt709", "smpte170m")))),
    _row("range.ts", *(_part(f"{TS} -vf scale=out_range={each} -color_range {each}", index) for index, each in enumerate(("tv", "pc"))), short=True),
    _row(
        "interlaced-from-the-middle.ts",
        _part(),
        _part(f"{TS} -flags +ilme+ildct -x264-params tff=1 -vf tinterlace=interleave_top,setfield=tff", 1, frames=24, rate="20"),
        _part(index=2),
        interlaced=True,
    ),
]  # fmt: skip
