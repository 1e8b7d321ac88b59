"""A clip as a live camera plays it."""

import itertools
from fractions import Fraction

import av
import numpy as np
import pytest

from bench.link.stream.camera import LiveCamera
from bench.link.stream.clip import TICKS_PER_S, Clip
from edge.sources.registry import open_source

FRAMES, KEY_EVERY, FPS = 20, 6, 20


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """Grey pictures, each a little lighter than the one before; key frames at 0, 6, 12 and 18, two B frames between others."""
    path = tmp_path_factory.mktemp("clip") / "grey.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.options = {"x264-params": f"keyint={KEY_EVERY}:scenecut=0:open-gop=0:bframes=2:b-adapt=0"}
        for number in range(FRAMES):
            picture = np.full((48, 64, 3), 10 * number, np.uint8)
            for packet in stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    return path


def test_it_begins_with_the_last_key_frame_of_the_first_half(path):
    clip = Clip.of(path)
    assert (clip.begin, len(clip), clip.own_fps) == (6, 14, Fraction(FPS))
    assert sorted(clip.shown) == list(range(14)), "every picture after it is played"
    assert list(clip.shown) != list(range(14)), "in the order of sending, which is another one"


def test_times_go_on_when_it_begins_anew_and_none_is_shown_before_it_is_sent(path):
    clip = Clip.of(path)
    played = list(itertools.islice(clip.stamped(10), 40))
    assert [due_s for _, due_s in played] == [pytest.approx(number / 10) for number in range(40)]
    shown = [packet.pts for packet, _ in played]
    assert all(packet.pts >= packet.dts for packet, _ in played)
    assert sorted(shown)[:28] == [(number + clip.delay) * TICKS_PER_S // 10 for number in range(28)]


def test_a_time_tells_the_picture_also_the_next_time_round(path):
    clip = Clip.of(path)
    for fps in (10.0, 29.97):
        for number in (0, 5, 13, 14, 30):
            time_s = (number + clip.delay) / fps
            assert clip.picture_at(round(time_s, 6), fps) == 6 + number % 14, (fps, number)


def test_what_is_no_video(tmp_path):
    (tmp_path / "empty.mp4").touch()
    with pytest.raises((ValueError, av.error.FFmpegError)):
        Clip.of(tmp_path / "empty.mp4")


@pytest.mark.slow
def test_an_edge_sees_the_files_own_pictures_and_can_tell_which(path):
    clip, fps = Clip.of(path), 100.0
    pictures = clip.pictures()
    with LiveCamera(clip, fps) as camera:
        source = open_source(camera.url)
        source.open()
        try:
            assert source.live
            shots = [source.read() for _ in range(20)]
        finally:
            source.close()
    places = [clip.picture_at(shot.media_time_s, fps) for shot in shots]
    assert places == [6 + number % 14 for number in range(places[0] - 6, places[0] - 6 + 20)]
    assert all(
        np.array_equal(shot.picture, pictures[place]) for shot, place in zip(shots, places, strict=True)
    )
