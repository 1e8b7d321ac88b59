"""Opening, reading and closing: what comes out, what is said, and what a failure costs."""

from __future__ import annotations

import threading
from contextlib import closing
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from kits.ffmpeg import drawn, ffmpeg

from edge.sources.video.container import Video
from shared.errors import SourceError


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """Makes a clip of ten frames once a module, by its name and how it is encoded."""
    folder = tmp_path_factory.mktemp("clips")

    @cache
    def clip(name, *arguments):
        return drawn(folder / name, *arguments)

    return clip


def shots_of(path, **options):
    video = Video(str(path), name=Path(path).name, **options)
    video.open()
    with closing(video):
        return list(iter(video.read, None))


def test_pictures_come_in_the_order_of_showing_with_number_and_time(clips):
    cases = [
        ("plain.mp4", "-c:v", "libx264", "-bf", "3"),
        ("other.webm", "-c:v", "libvpx-vp9"),
        ("old.avi", "-c:v", "mpeg4"),
        ("newer.mkv", "-c:v", "libaom-av1", "-cpu-used", "8"),
        ("broadcast.ts", "-c:v", "mpeg2video", "-bf", "2"),
    ]
    for name, *arguments in cases:
        shots = shots_of(clips(name, *arguments))
        assert [shot.number for shot in shots] == list(range(10)), name
        times = [shot.media_time_s - shots[0].media_time_s for shot in shots]
        assert np.allclose(times, np.arange(10) / 10, atol=0.002), name
        assert not any(shot.damaged for shot in shots), name
        assert all(shot.picture.flags.c_contiguous for shot in shots), name
        assert {shot.picture.shape for shot in shots} == {(48, 64, 3)}, name


def test_times_count_from_where_the_container_begins(clips, tmp_path):
    late = tmp_path / "late.ts"
    ffmpeg(
        "-i", clips("plain.mp4", "-c:v", "libx264", "-bf", "3"), "-c", "copy", "-output_ts_offset", 5000, late
    )
    assert shots_of(late)[0].media_time_s == 0
    assert shots_of(late, live=True)[0].media_time_s > 4999, "a stream's clock is its own"


def test_raw_video_has_no_clock(clips):
    shots = shots_of(clips("raw.h264", "-c:v", "libx264", "-bf", "2"))
    assert [(shot.number, shot.media_time_s) for shot in shots] == [(number, None) for number in range(10)]


def test_the_default_stream_is_read_and_no_cover(clips, tmp_path):
    small, large = clips("plain.mp4", "-c:v", "libx264", "-bf", "3"), tmp_path / "large.mp4"
    drawn(large, "-c:v", "libx264", of="testsrc=size=128x96:rate=10:duration=1")
    both = ("-i", small, "-i", large, "-map", 0, "-map", 1, "-c", "copy")
    cases = {
        "first.mkv": ([*both, "-disposition:v:0", "default", "-disposition:v:1", "0"], (48, 64)),
        "second.mkv": ([*both, "-disposition:v:0", "0", "-disposition:v:1", "default"], (96, 128)),
        "no-word.ts": ([*both], (96, 128)),
        "cover.mp4": (
            [*both, "-disposition:v:1", "attached_pic", "-c:v:1", "png", "-frames:v:1", "1"],
            (48, 64),
        ),
    }
    for name, (arguments, size) in cases.items():
        ffmpeg(*arguments, tmp_path / name)
        assert shots_of(tmp_path / name)[0].picture.shape[:2] == size, name


def test_what_is_no_video_says_so_in_one_line(tmp_path):
    ffmpeg("-f", "lavfi", "-i", "sine=duration=1", "-c:a", "aac", tmp_path / "sound.mp4")
    drawn(tmp_path / "unknown.mkv", "-c:v", "libxavs2")
    (tmp_path / "text.mp4").write_text("hello " * 100)
    for name, words in {
        "sound.mp4": "no video in it, only audio",
        "unknown.mkv": "its codec, avs2, cannot be decoded here",
        "text.mp4": "not a video that can be read",
        "absent.mp4": "No such file",
    }.items():
        video = Video(str(tmp_path / name), name=name)
        with pytest.raises(SourceError, match=words) as caught:
            video.open()
        assert "\n" not in str(caught.value)
        assert str(tmp_path) not in str(caught.value), "a target may be a URL with a password"
        video.close()
        assert video.read() is None


def test_a_video_may_be_opened_again(clips):
    path = clips("plain.mp4", "-c:v", "libx264", "-bf", "3")
    video = Video(str(path), name="clip")
    for _ in range(2):
        video.open()
        assert len(list(iter(video.read, None))) == 10
        assert video.read() is None
    video.open()
    assert video.read().number == 0
    video.close()
    assert video.read() is None
    video.close()


def test_close_from_another_thread_ends_a_read(clips):
    path = clips("plain.mp4", "-c:v", "libx264", "-bf", "3")
    video = Video(str(path), name="clip", packets=lambda _: (reading.set(), go_on.wait(60)))
    reading, go_on, got = threading.Event(), threading.Event(), []
    video.open()
    reader = threading.Thread(target=lambda: got.append(video.read()))
    reader.start()
    assert reading.wait(60)
    video.close()
    go_on.set()
    reader.join(60)
    assert got == [None]
    assert video.stream is None, "the reader let go of it"


def test_packets_are_handed_out_as_they_came(clips, tmp_path):
    path = clips("raw.h264", "-c:v", "libx264", "-bf", "2")
    packets = []
    shots_of(path, packets=packets.append)
    assert b"".join(packet.data for packet in packets) == path.read_bytes()

    packets.clear()
    shots = shots_of(clips("plain.mp4", "-c:v", "libx264", "-bf", "3"), packets=packets.append)
    assert sorted(packet.presented_s for packet in packets) == pytest.approx(
        [shot.media_time_s for shot in shots]
    )
    assert [packet.keyframe for packet in packets] == [True] + [False] * 9
    (parameters,) = {packet.parameters for packet in packets}
    assert (parameters.codec, parameters.width, parameters.height) == ("h264", 64, 48)
    assert parameters.extradata


def test_a_size_that_changes_in_the_middle(tmp_path):
    for name, size in (("a.ts", "64x48"), ("b.ts", "96x64")):
        drawn(tmp_path / name, "-c:v", "libx264", "-bf", "2", of=f"testsrc=size={size}:rate=10:duration=1")
    joined = tmp_path / "joined.ts"
    joined.write_bytes((tmp_path / "a.ts").read_bytes() + (tmp_path / "b.ts").read_bytes())
    shots = shots_of(joined)
    assert [shot.picture.shape[:2] for shot in shots] == [(48, 64)] * 10 + [(64, 96)] * 10
    assert [shot.number for shot in shots] == list(range(20))


def test_a_live_stream_that_gives_no_picture_is_lost(tmp_path, clips):
    whole = clips("broadcast.ts", "-c:v", "mpeg2video", "-bf", "2")
    now = iter(range(0, 10_000, 3))
    video = Video(str(whole), name="camera", live=True, read_timeout_s=5.0, clock=lambda: next(now))
    video.open()
    with closing(video), pytest.raises(SourceError, match="camera: no picture for 5 s, though data came"):
        video._reading._decoding.decode = lambda packet: []
        video.read()


def test_a_file_of_rubbish_ends(tmp_path):
    data = bytearray(drawn(tmp_path / "clip.avi", "-c:v", "mjpeg").read_bytes())
    start = data.index(b"movi") + 4
    while (at := data.find(b"00dc", start)) >= 0 and (
        size := int.from_bytes(data[at + 4 : at + 8], "little")
    ):
        data[at + 8 : at + 8 + size] = bytes(size)
        start = at + 8 + size
        if data[start : start + 4] == b"idx1":
            break
    (tmp_path / "clip.avi").write_bytes(data)
    lost = []
    with pytest.raises(SourceError, match=r"mjpeg.*no picture could be decoded"):
        shots_of(tmp_path / "clip.avi", on_undecodable=lambda: lost.append(1))
    assert len(lost) == 10
