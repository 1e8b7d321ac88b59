"""The source that needs no file, camera or network."""

from __future__ import annotations

import threading
from itertools import pairwise

import numpy as np
import pytest
from kits.sources import FakeTime, read_all, source_of

from edge.sources.synthetic import SCENE_SECONDS, Synthetic
from shared.errors import SettingsError


def test_synthetic_frames_are_the_same_on_every_run():
    spec = "synthetic:fps=0,frames=8,width=100,height=70"
    first, second = read_all(source_of(spec)), read_all(source_of(spec))
    assert len(first) == len(second) == 8
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
    assert not np.array_equal(first[0], first[1]), "it moves"
    assert first[0].shape == (70, 100, 3)
    assert first[0].dtype == np.uint8
    assert first[0].flags.c_contiguous
    assert first[0].flags.writeable


def test_synthetic_pixels_are_those_of_every_machine():
    """Drawn with integers only, so a sum is a fair golden value."""
    picture = Synthetic("synthetic:width=64,height=64").draw(5)
    assert picture.astype(np.int64).sum(axis=(0, 1)).tolist() == [530010, 570586, 610845]


def test_synthetic_scenes_differ():
    source = Synthetic("synthetic:fps=5,width=64,height=64")
    scenes = [source.draw(index * SCENE_SECONDS * 5).astype(int) for index in range(7)]
    for a, b in pairwise(scenes):
        assert np.abs(a - b).mean() > 30
    assert source.draw(SCENE_SECONDS * 5 - 1).shape == (64, 64, 3)


def test_synthetic_is_paced_when_it_is_live():
    fake = FakeTime()
    source = Synthetic("synthetic:fps=4,frames=4,width=32,height=32", clock=fake.clock, sleep=fake.sleep)
    assert source.live
    frames = read_all(source)
    assert len(frames) == 4
    assert fake.slept == pytest.approx([0.25, 0.25, 0.25])


def test_synthetic_gives_a_late_reader_no_burst():
    fake = FakeTime()
    source = Synthetic("synthetic:fps=4,width=32,height=32", clock=fake.clock, sleep=fake.sleep)
    source.open()
    source.read()
    fake.now += 10
    source.read()
    source.read()
    assert fake.slept == pytest.approx([0.25])


def test_synthetic_as_fast_as_it_is_read():
    fake = FakeTime()
    source = Synthetic("synthetic:fps=0,frames=50,width=32,height=32", clock=fake.clock, sleep=fake.sleep)
    assert not source.live
    assert len(read_all(source)) == 50
    assert not fake.slept


def test_synthetic_can_be_closed_while_it_waits():
    source = source_of("synthetic:fps=0.01,width=32,height=32")
    source.open()
    assert source.read() is not None
    threading.Timer(0.05, source.close).start()
    assert source.read() is None


@pytest.mark.parametrize("spec", ["fps=-1", "fps=x", "frames=1.5", "width=0", "height=1e9", "size=3", "fps"])
def test_synthetic_options_are_checked(spec):
    with pytest.raises(SettingsError):
        source_of(f"synthetic:{spec}")
