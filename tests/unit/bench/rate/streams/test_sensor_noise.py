"""Noise is the same in every run, no other frame's, and as strong as it says."""

import numpy as np
import pytest

from bench.rate.streams.noise import KINDS, NONE, SHOT, SIGMA, Noise


def grey(value):
    return np.full((120, 160, 3), value, np.uint8)


def deviation(kind, value):
    return float((Noise(kind)(grey(value), 7).astype(float) - value).std())


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != NONE])
def test_noise_belongs_to_its_frame(kind):
    picture = grey(128)
    once, again, other = Noise(kind)(picture, 3), Noise(kind)(picture, 3), Noise(kind)(picture, 4)
    assert once.dtype == np.uint8
    assert (once == again).all()
    assert (once != other).mean() > 0.5
    assert (picture == 128).all(), "a source's picture is not written to"
    assert deviation(kind, 128) == pytest.approx(SIGMA, rel=0.03)
    assert abs(float(once.mean()) - 128) < 0.1


def test_shot_noise_grows_with_the_light():
    assert deviation(SHOT, 32) == pytest.approx(SIGMA / 2, rel=0.05)
    assert deviation("gaussian", 32) == pytest.approx(SIGMA, rel=0.05)


def test_what_leaves_the_range_is_cut_off():
    assert int(Noise("gaussian")(grey(255), 0).max()) == 255
    assert int(Noise("gaussian")(grey(0), 0).min()) == 0


def test_without_noise_a_picture_is_as_it_came():
    picture = grey(9)
    assert Noise()(picture, 0) is picture
