"""Which frames of a clip calibrate, and which are the session."""

import pytest

from bench.rate.streams.command import Part
from bench.rate.streams.footage import Footage
from bench.rate.streams.noise import Noise


def test_a_clip_is_counted_and_read_in_order(clip, seen):
    footage = Footage.of(clip)
    assert (footage.count, footage.rate) == (40, pytest.approx(10))
    assert seen(footage.pictures(3, 7, Noise())) == [3, 4, 5, 6]


def test_a_camera_may_have_fewer_frames_a_second(clip, seen):
    footage = Footage.of(clip, every=3)
    assert (footage.count, footage.rate) == (14, pytest.approx(10 / 3))
    assert seen(footage.pictures(2, 5, Noise())) == [6, 9, 12]
    assert "one of 3" in Part(footage, 7, 7, footage, 7).describe(600)
    with pytest.raises(ValueError, match="14 frames; at least 24"):
        Part.of(clip, 600, None, every=3)


def test_noise_is_that_of_the_frames_number(clip):
    footage = Footage.of(clip)
    [alone] = footage.pictures(5, 6, Noise("gaussian"))
    *_, last = footage.pictures(0, 6, Noise("gaussian"))
    assert (alone == last).all()


@pytest.mark.parametrize(("asked", "start"), [(12, 28), (24, 16), (25, 20), (600, 20)])
def test_a_session_is_the_end_of_the_clip_but_leaves_enough_before_it(clip, asked, start):
    assert Footage.of(clip).split(asked) == start


def test_what_is_measured_is_not_calibrated_on(clip, seen):
    part = Part.of(clip, 24, None)
    fitted, measured = seen(part.calibrating(8, Noise())), seen(part.session(Noise()))
    assert fitted == [0, 2, 4, 6, 8, 10, 12, 14]
    assert measured == list(range(16, 40))
    runs = [seen(run) for run in part.runs(Noise())]
    assert runs == [list(range(16))]
    runs = [seen(run) for run in Part.of(clip, 12, None).runs(Noise())]
    assert len(runs) == 6
    assert all(run == list(range(run[0], run[0] + 16)) for run in runs)
    assert (runs[0][0], runs[-1][-1]) == (0, 27)
    assert "asked" not in part.describe(24)


def test_a_clip_that_is_too_short_is_told(clip, clip_of, tmp_path):
    part = Part.of(clip, 600, None)
    assert part.count == 20
    assert "600 were asked for" in part.describe(600)
    with pytest.raises(ValueError, match="20 frames; at least 24"):
        Part.of(clip_of(tmp_path / "short.avi", 20), 600, None)


def test_another_clip_may_calibrate(clip, clip_of, tmp_path, seen):
    other = clip_of(tmp_path / "other.avi", 14)
    part = Part.of(clip, 600, other)
    assert seen(part.session(Noise())) == list(range(40))
    assert seen(part.calibrating(100, Noise())) == list(range(14))
    assert "the first 14 frames of other.avi" in part.describe(600)
    with pytest.raises(ValueError, match=r"few.avi has 11 frames; at least 12"):
        Part.of(clip, 600, clip_of(tmp_path / "few.avi", 11))
