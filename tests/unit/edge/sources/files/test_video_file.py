"""A video in a file: all of its pictures, numbers and times, and a word where something is missing."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import cv2
import numpy as np
import pytest
from kits.ffmpeg import drawn, ffmpeg

from edge.sources.files.video_file import VideoFile
from shared.errors import SourceError

CLIPS = Path(__file__).parents[6] / "shared" / "videos"
SCENE = "testsrc=size=64x48:rate=30:duration=2"


def shots_of(path, on_undecodable=lambda: None, **options):
    source = VideoFile(path, on_undecodable, **options)
    source.open()
    with closing(source):
        return list(iter(source.read, None))


@pytest.mark.parametrize("name", ["bottle-detection.mp4", "car-detection.mp4"])
def test_plain_clips_are_the_pictures_that_opencv_gives(name):
    if not (CLIPS / name).exists():
        pytest.skip(f"no ../shared/videos/{name}")
    capture = cv2.VideoCapture(str(CLIPS / name), cv2.CAP_FFMPEG)
    source = VideoFile(CLIPS / name)
    source.open()
    with closing(source):
        for number in range(100):
            _, expected = capture.read()
            shot = source.read()
            assert np.array_equal(shot.picture, expected), number
            assert shot.number == number
            assert not shot.damaged


def test_healthy_files_are_called_nothing(tmp_path, caplog):
    plain = drawn(tmp_path / "plain.mp4", "-c:v", "libx264", "-bf", "3", of=SCENE)
    made = {
        "unsteady.mkv": (
            "-i",
            plain,
            "-vf",
            r"select=lt(mod(n\,10)\,3)",
            "-fps_mode",
            "vfr",
            "-c:v",
            "libx264",
        ),
        "trimmed.mp4": ("-ss", "1.05", "-i", plain, "-c", "copy"),
        "copied.avi": ("-i", plain, "-c", "copy"),
        "fragments.mp4": ("-i", plain, "-c", "copy", "-movflags", "frag_keyframe+empty_moov"),
        "open.ts": ("-i", plain, "-c:v", "libx265", "-x265-params", "log-level=none:open-gop=1:keyint=8"),
        "streamed.webm": (
            "-i",
            plain,
            "-c:v",
            "libvpx",
            "-auto-alt-ref",
            "1",
            "-lag-in-frames",
            "16",
            "-live",
            "1",
        ),
        "film.wmv": ("-i", plain, "-c:v", "wmv2"),
        "film.flv": ("-i", plain, "-c:v", "flv1"),
    }
    counts = {"plain.mp4": 60, "unsteady.mkv": 18}
    for name, arguments in made.items():
        ffmpeg(*arguments, tmp_path / name)
        lost = []
        shots = shots_of(tmp_path / name, lambda lost=lost: lost.append(1))
        raw = ffmpeg(
            "-i", tmp_path / name, "-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", "gray", "-"
        )
        assert len(shots) == len(raw) // (64 * 48), name
        assert len(shots) == counts.get(name, len(shots)), name
        assert [shot.number for shot in shots] == list(range(len(shots))), name
        assert not lost, name
        assert not caplog.records, name


def test_times_of_an_unsteady_film(tmp_path):
    path = tmp_path / "unsteady.mp4"
    drawn(path, "-vf", r"select=lt(mod(n\,30)\,3)", "-fps_mode", "vfr", "-c:v", "libx264", of=SCENE)
    assert [shot.media_time_s for shot in shots_of(path)] == pytest.approx(
        [number / 30 for number in (0, 1, 2, 30, 31, 32)], abs=0.001
    )


def test_files_that_are_cut_are_called_truncated(tmp_path, caplog):
    plain = drawn(
        tmp_path / "plain.mp4", "-vf", "noise=alls=50:allf=t", "-c:v", "libx264", "-bf", "2", of=SCENE
    )
    for name, more in {"cut.mkv": (), "cut.avi": (), "cut.mp4": ("-movflags", "faststart")}.items():
        caplog.clear()
        ffmpeg("-i", plain, "-c", "copy", *more, tmp_path / name)
        data = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(data[: len(data) // 2])
        shots = shots_of(tmp_path / name)
        assert 0 < len(shots) < 60, name
        said = [record.getMessage() for record in caplog.records if "truncated" in record.getMessage()]
        assert len(said) == 1, name
        assert f"{len(shots)} pictures could be read" in said[0], name


def test_what_cannot_be_opened_says_why(tmp_path):
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("hello " * 100)
    plain = drawn(tmp_path / "plain.mp4", "-c:v", "libx264", of=SCENE)
    (tmp_path / "unfinished.mp4").write_bytes(plain.read_bytes()[:-1500])
    ffmpeg("-i", plain, "-c", "copy", tmp_path / "plain.mkv")
    (tmp_path / "head.mkv").write_bytes((tmp_path / "plain.mkv").read_bytes()[:300])
    for name, words in {
        "empty.mp4": "it is empty",
        "text.mp4": "not a video that can be read",
        "unfinished.mp4": r"its index \(moov\) is missing",
        "head.mkv": "truncated",
    }.items():
        with pytest.raises(SourceError, match=words) as caught:
            VideoFile(tmp_path / name).open()
        assert str(caught.value).startswith(str(tmp_path / name)), name
        assert "\n" not in str(caught.value)


def test_an_environment_for_opencv_changes_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("OPENCV_FFMPEG_CAPTURE_OPTIONS", "video_codec;none")
    assert len(shots_of(drawn(tmp_path / "plain.mp4", "-c:v", "libx264"))) == 10


def test_packets_are_handed_out_beside_the_pictures(tmp_path):
    packets = []
    shots = shots_of(drawn(tmp_path / "plain.mp4", "-c:v", "libx264"), packets=packets.append)
    assert len(packets) == len(shots) == 10
