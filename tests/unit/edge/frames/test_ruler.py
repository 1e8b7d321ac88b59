"""How much two tensors differ, in the symbols of a codec."""

from __future__ import annotations

import functools
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from kits.edge import pictures
from kits.pyramid import crossing, profile_of

from edge.calibration.fit import Preset, fit_profile
from edge.frames.stillness import CalibratedRuler, Int8Ruler, Reading, ruler_factory, share_changed
from shared.codecs import NAMES, make_codec
from shared.codecs.calibrated.codec import Calibrated
from shared.errors import SettingsError

SHAPE = (8, 5, 6)


def sparse(seed, *, signed=False):
    """A tensor as a rectifier leaves it, or a signed one."""
    values = np.random.default_rng(seed).normal(0 if signed else -0.5, 1, SHAPE).astype(np.float32)
    return values if signed else np.maximum(values, 0)


@functools.cache
def calibrated(*, signed=False):
    recipe = Preset(step=2.0, groups=2, context_rank=4, corrector_rank=4)
    tensors = [sparse(seed, signed=signed) for seed in range(12)]
    return Calibrated(fit_profile(tensors, recipe, fingerprint=b"tinytiny", split_point="relu"))


def codecs():
    return [make_codec("int8"), make_codec("int8+zstd"), calibrated(), calibrated(signed=True)]


def share(codec, reference, now):
    ruler = ruler_factory(codec)(0, reference)
    return share_changed([ruler(reference)], [ruler(now)], ruler.margin)


@pytest.mark.parametrize("codec", codecs(), ids=["int8", "int8+zstd", "calibrated", "calibrated signed"])
class TestEveryCodec:
    def test_a_frame_does_not_differ_from_itself(self, codec):
        assert share(codec, sparse(3), sparse(3)) == 0

    def test_a_frame_of_another_scene_differs_much(self, codec):
        assert share(codec, sparse(3), sparse(4)) > 0.5

    def test_nothing_against_something_is_all(self, codec):
        if (
            codec.name != "calibrated" or codec.profile.about["signed"] == "0"
        ):  # there zero is a value like any other
            assert share(codec, np.zeros(SHAPE, np.float32), sparse(4)) == 1
            assert share(codec, sparse(4), np.zeros(SHAPE, np.float32)) > 0.9
            assert share(codec, np.zeros(SHAPE, np.float32), np.zeros(SHAPE, np.float32)) == 0

    def test_more_change_is_a_larger_share(self, codec):
        reference, other = sparse(3), sparse(4)
        shares = [share(codec, reference, reference + part * (other - reference)) for part in (0.1, 0.4, 1)]
        assert shares == sorted(shares)
        assert shares[0] < shares[2]

    @pytest.mark.parametrize("factor", [1e-38, 1e-20, 1e20, 1e38])
    def test_a_frame_far_from_the_reference_is_not_like_it(self, codec, factor):
        assert share(codec, sparse(3), np.float32(factor) * sparse(3)) > 0.3
        assert 0 <= share(codec, np.float32(factor) * sparse(3), sparse(3)) <= 1


@given(
    arrays.arrays(np.int16, 20, elements=st.integers(-16_000, 16_000)),
    arrays.arrays(np.int16, 20, elements=st.integers(-16_000, 16_000)),
)
def test_a_share_is_between_nothing_and_all_and_takes_no_sides(a, b):
    reference, now = Reading(a.astype(np.float32), a), Reading(b.astype(np.float32), b)
    found = share_changed([reference], [now], 0.25)
    assert 0 <= found <= 1
    assert found == share_changed([now], [reference], 0.25)
    assert (found == 0) == (a == b).all()


def test_of_zeros_and_ones_it_is_the_share_of_those_in_use_that_changed():
    a, b = np.zeros(40, np.int16), np.zeros(40, np.int16)
    a[:10] = 1
    b[2:12] = 1  # 8 in common, 2 gone, 2 new
    before, after = (Reading(each * np.float32(2), each) for each in (a, b))
    assert share_changed([before], [after], 0.25) == pytest.approx(4 / 12)


def test_the_share_is_of_the_symbols_of_all_tensors():
    """A tensor of a few symbols does not count as much as one of many."""
    rng = np.random.default_rng(2)
    first, second = rng.integers(0, 5, (2, 90)), rng.integers(0, 5, (2, 10))
    apart = [
        [Reading(values.astype(np.float32), values.astype(np.int16)) for values in pair]
        for pair in (first, second)
    ]
    whole = np.concatenate([first, second], 1)
    together = [Reading(values.astype(np.float32), values.astype(np.int16)) for values in whole]
    (a0, a1), (b0, b1) = apart
    assert share_changed([a0, b0], [a1, b1], 0.25) == share_changed([together[0]], [together[1]], 0.25)
    assert share_changed([a0, b0], [a0, b1], 0.25) < share_changed([b0], [b1], 0.25)


@pytest.mark.parametrize("codec", ["int8", "int8+zstd", "calibrated"])
def test_each_tensor_has_a_ruler_of_its_own(codec):
    tensors = crossing("pyramid", next(pictures(1)))
    make = ruler_factory(Calibrated(profile_of("pyramid")) if codec == "calibrated" else make_codec(codec))
    for number, tensor in enumerate(tensors):
        symbols = make(number, tensor)(tensor).symbols
        if codec == "calibrated":
            _, sent = Calibrated(profile_of("pyramid"), number).encode_symbols(tensor)
            assert (np.abs(symbols) == sent.magnitudes).all(), number
        else:
            assert np.ptp(symbols.astype(int)) in range(250, 256) or tensor.size < 9, number
            assert np.abs(symbols).max() <= 255


@pytest.mark.parametrize("levels", [2, 4])
def test_noise_at_the_edge_of_a_cell_changes_nothing(levels):
    """All values sit where their symbol hops: without a margin half of them would have changed."""
    recipe = Preset(step=2.0, levels=levels, groups=2, context_rank=4, corrector_rank=4)
    profile = fit_profile(
        [sparse(seed) for seed in range(12)], recipe, fingerprint=b"tinytiny", split_point="relu"
    )
    ruler = CalibratedRuler(Calibrated(profile))
    ones = ruler(np.ones(SHAPE, np.float32)).scaled.transpose(2, 0, 1)  # of each position, per unit
    edge = np.float32(profile.arrays["zone"][0]) / ones
    noise = np.random.default_rng(0).normal(0, 0.04, (2, *SHAPE)).astype(np.float32) / ones
    quiet, moved = (ruler(edge + each) for each in noise)
    assert (quiet.symbols != moved.symbols).mean() > 0.3
    assert share_changed([quiet], [moved], 0) > 0.3
    assert share_changed([quiet], [moved], ruler.margin) == 0
    assert share_changed([quiet], [ruler(edge + 0.6 / ones)], ruler.margin) > 0.3, "what moves on is seen"


def test_noise_of_a_few_steps_of_255_changes_nothing():
    reference = sparse(3)
    step, rng = reference.max() / 255, np.random.default_rng(0)
    near = reference + step * rng.uniform(-3.9, 3.9, SHAPE).astype(np.float32)
    assert share(make_codec("int8"), reference, near) == 0
    assert share(make_codec("int8"), reference, reference + 5 * step) > 0


def test_the_symbols_are_those_that_travel():
    codec, array = calibrated(), sparse(5)
    _, symbols = codec.encode_symbols(array)
    assert (CalibratedRuler(codec)(array).symbols == symbols.magnitudes).all()
    array = sparse(6)
    there = make_codec("int8").decode(*make_codec("int8").encode(array), array.shape)
    step = array.max() / 255
    np.testing.assert_allclose(Int8Ruler(array)(array).symbols * step, there, atol=step * 1e-3)


@pytest.mark.parametrize("codec", [None, *(NAMES[name] for name in sorted(NAMES))])
def test_who_has_no_symbols_is_refused(codec):
    if codec and codec.name.startswith(("int8", "calibrated")):
        return
    with pytest.raises(SettingsError, match=re.escape(codec.name) if codec else "nothing travels") as caught:
        ruler_factory(codec)
    for words in ("--still-threshold 0", "int8", "int8+zstd", "calibrated"):
        assert words in str(caught.value)
