"""Pictures as ffmpeg shows them: colours, shapes, directions, interlaced ones made whole."""

from __future__ import annotations

from contextlib import closing

import numpy as np
import pytest
from kits.ffmpeg import drawn, ffmpeg

from edge.sources.video.container import Video
from shared.errors import SourceError

SCENE = "testsrc2=size=64x48:rate=10:duration=0.5"
MOVING = "testsrc2=size=64x48:rate=50:duration=0.4"


def pictures_of(path):
    video = Video(str(path), name=path.name)
    video.open()
    with closing(video):
        return [shot.picture for shot in iter(video.read, None)]


def shown_by_ffmpeg(path, shape, *, through="null"):
    raw = ffmpeg(
        "-i",
        path,
        "-map",
        "0:v:0",
        "-vf",
        through,
        "-fps_mode",
        "passthrough",
        "-f",
        "rawvideo",
        "-pix_fmt",
        "bgr24",
        "-",
    )
    return np.frombuffer(raw, np.uint8).reshape(-1, *shape)


def differs(path, *, through="null", skip=0):
    """How far the pictures are from ffmpeg's, in the worst one: the mean of the differences. Refuses another number of them."""
    pictures = pictures_of(path)
    wanted = shown_by_ffmpeg(path, pictures[0].shape, through=through)
    assert len(pictures) == len(wanted), path.name
    return max(
        np.abs(mine.astype(int) - theirs).mean()
        for mine, theirs in zip(pictures[skip:], wanted[skip:], strict=True)
    )


def test_colours_follow_the_marks(tmp_path):
    seen = {}
    for matrix in ("bt709", "smpte170m", "bt2020nc", "unknown"):
        for extent in ("tv", "pc"):
            for depth in ("yuv420p", "yuv420p10le", "yuv422p"):
                path = tmp_path / f"{matrix}-{extent}-{depth}.mkv"
                marks = (
                    f"scale=out_range={extent},format={depth},setparams=colorspace={matrix}:range={extent}"
                )
                drawn(path, "-vf", marks, "-c:v", "libx264", "-crf", "4", of=SCENE)
                assert differs(path) < 0.5, path.name
                if depth == "yuv420p":
                    seen[matrix, extent] = pictures_of(path)[0].astype(int)
    assert np.abs(seen["bt709", "tv"] - seen["smpte170m", "tv"]).mean() > 2, "the marks matter"
    assert (seen["unknown", "tv"] == seen["smpte170m", "tv"]).all()


def test_pixel_formats(tmp_path):
    for layout in (
        "gray",
        "gray10le",
        "yuv444p12le",
        "yuv411p",
        "gbrp",
        "bgra",
        "rgb48le",
        "ya8",
        "yuva420p",
    ):
        path = drawn(tmp_path / f"{layout}.mkv", "-pix_fmt", layout, "-c:v", "ffv1", of=SCENE)
        assert differs(path) < 0.5, layout
    for layout in ("uyvy422", "nv12", "rgb565be", "rgb565le", "monow"):
        path = drawn(tmp_path / f"{layout}.nut", "-pix_fmt", layout, "-c:v", "rawvideo", of=SCENE)
        assert differs(path) < 0.5, layout
    for name in ("drawn.gif", "drawn.apng"):
        assert differs(drawn(tmp_path / name, of=SCENE)) < 0.5, name


def test_sizes_that_are_odd(tmp_path):
    for size in ("33x17", "50x38", "97x65"):
        path = drawn(
            tmp_path / f"{size}.mkv",
            "-pix_fmt",
            "yuv444p",
            "-c:v",
            "ffv1",
            of=f"testsrc=size={size}:rate=5:duration=1",
        )
        assert differs(path) < 0.5, size


def test_pixels_become_square(tmp_path):
    for aspect, size, through in (
        ("2", (48, 128), "scale=128:48"),
        ("1/2", (96, 64), "scale=64:96"),
        ("16/11", (48, 93), "scale=93:48"),
    ):
        path = drawn(
            tmp_path / "squeezed.mp4", "-vf", f"setsar={aspect}", "-c:v", "libx264", "-crf", "4", of=SCENE
        )
        assert pictures_of(path)[0].shape[:2] == size, aspect
        assert differs(path, through=f"{through}:flags=bicubic") < 0.5, aspect


def test_a_shape_of_pixels_that_changes_in_the_middle(tmp_path):
    for name, aspect in (("a.ts", "1"), ("b.ts", "2")):
        drawn(tmp_path / name, "-vf", f"setsar={aspect}", "-c:v", "libx264", "-bf", "2", of=SCENE)
    joined = tmp_path / "joined.ts"
    joined.write_bytes((tmp_path / "a.ts").read_bytes() + (tmp_path / "b.ts").read_bytes())
    assert [picture.shape[1] for picture in pictures_of(joined)] == [64] * 5 + [128] * 5


def test_pictures_are_turned_and_mirrored(tmp_path):
    plain = drawn(tmp_path / "plain.mp4", "-c:v", "libx264", of=SCENE)
    for degrees in (0, 90, 180, 270):
        for mirrored in ([], ["-display_hflip"], ["-display_vflip"]):
            path = tmp_path / f"{degrees}{''.join(mirrored)}.mp4"
            ffmpeg("-display_rotation", degrees, *mirrored, "-i", plain, "-c", "copy", path)
            assert differs(path) < 0.01, path.name


def test_turned_pictures_with_pixels_that_are_not_square(tmp_path):
    drawn(tmp_path / "plain.mp4", "-vf", "setsar=2", "-c:v", "libx264", of=SCENE)
    ffmpeg("-display_rotation", 90, "-i", tmp_path / "plain.mp4", "-c", "copy", tmp_path / "turned.mp4")
    assert pictures_of(tmp_path / "turned.mp4")[0].shape[:2] == (128, 48)


def test_what_the_stream_cuts_away_is_cut_away(tmp_path):
    path = drawn(
        tmp_path / "cut.mp4", "-c:v", "libx264", "-bsf:v", "h264_metadata=crop_left=10:crop_top=2", of=SCENE
    )
    assert pictures_of(path)[0].shape[:2] == (46, 54)
    assert differs(path) < 0.01


BWDIF = "bwdif=mode=send_frame:deint=interlaced"


def test_interlaced_frames_become_whole_pictures(tmp_path):
    flags = ("-flags", "+ilme+ildct")
    cases = {
        "top.mp4": ("interlace=scan=tff", "libx264", "-x264-params", "tff=1"),
        "bottom.mkv": ("interlace=scan=bff", "libx264", "-x264-params", "bff=1", "-bf", "2"),
        "broadcast.ts": ("interlace=scan=tff", "mpeg2video", "-q:v", "2", "-bf", "2"),
        "film.ts": ("fps=24,telecine=pattern=23", "mpeg2video", "-q:v", "2"),
    }
    for name, (through, codec, *more) in cases.items():
        path = drawn(
            tmp_path / name, "-vf", f"{through},format=yuv420p", "-c:v", codec, *flags, *more, of=MOVING
        )
        # ffmpeg's own first one is wrong at its top, see interlace.py; in the others nothing is lost or doubled.
        assert differs(path, through=BWDIF, skip=1) < 0.5, name
        assert differs(path, skip=1) > 0.1, f"{name} is interlaced"


def test_a_single_interlaced_frame_is_given(tmp_path):
    path = drawn(
        tmp_path / "one.mp4",
        "-c:v",
        "libx264",
        "-flags",
        "+ilme+ildct",
        "-x264-params",
        "tff=1",
        "-frames:v",
        "1",
        of=MOVING,
    )
    assert len(pictures_of(path)) == 1


def test_interlaced_and_progressive_parts_follow_each_other(tmp_path):
    interlaced = ("-vf", "interlace=scan=tff", "-flags", "+ilme+ildct", "-x264-params", "tff=1")
    drawn(tmp_path / "i.ts", *interlaced, "-c:v", "libx264", of=MOVING)
    drawn(tmp_path / "p.ts", "-c:v", "libx264", of="testsrc2=size=64x48:rate=25:duration=3")
    for order in ("ip", "pi", "ipi"):
        path = tmp_path / f"{order}.ts"
        path.write_bytes(b"".join((tmp_path / f"{part}.ts").read_bytes() for part in order))
        frames = sum({"i": 10, "p": 75}[part] for part in order)
        assert len(pictures_of(path)) == frames, order


def test_what_nothing_converts_is_refused_by_name(tmp_path):
    path = drawn(
        tmp_path / "ycgco.mp4",
        "-vf",
        "format=yuv420p,setparams=colorspace=ycgco",
        "-c:v",
        "libx264",
        of=SCENE,
    )
    with pytest.raises(SourceError, match="64 x 48, yuv420p, YCgCo, cannot be converted"):
        pictures_of(path)


def test_high_dynamic_range_is_said_once(tmp_path, caplog):
    for transfer, word in (("smpte2084", "PQ"), ("arib-std-b67", "HLG")):
        caplog.clear()
        marks = (
            f"format=yuv420p10le,setparams=colorspace=bt2020nc:color_trc={transfer}:color_primaries=bt2020"
        )
        pictures_of(drawn(tmp_path / f"{word}.mkv", "-vf", marks, "-c:v", "libx264", of=SCENE))
        (record,) = caplog.records
        assert word in record.getMessage()
        assert "HDR" in record.getMessage()
