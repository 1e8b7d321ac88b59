"""Profiles of format 4: for both codecs; and what `calibrated-inter` says to others."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from kits.naming import naming
from kits.profiles import SMALL, Preset, features, following_profile, make_profile, stream, with_arrays

from edge.calibration.fit import fit_crossing, fit_profile
from edge.calibration.importance import Importance
from shared.codecs.calibrated.codec import Calibrated
from shared.codecs.calibrated.cost import cost_of
from shared.codecs.calibrated.inter.codec import CalibratedInter
from shared.errors import ContentError, ProfileContentError, StateMissingError

SHAPES = ((8, 6, 6), (4, 3, 3), (5,))
PROFILE = following_profile(signed=True)


def several():
    runs = [
        [stream(shape, seed=seed, signed=number == 1) for seed in (0, 20)]
        for number, shape in enumerate(SHAPES)
    ]
    crossing = [[tensor for run in each for tensor in run] for each in runs]
    return fit_crossing(crossing, [SMALL] * 3, fingerprint=b"profile.", split_point="neck", runs=runs)


changed = partial(with_arrays, PROFILE)


def test_its_format_says_that_there_is_more_in_it():
    assert PROFILE.about["format"] == "splitdnn-profile-4"
    assert PROFILE.about["inter_frames"] == "24"
    without = changed(**{name: None for name in PROFILE.arrays if name.startswith("inter.")})
    assert without.about["format"] == "splitdnn-profile-3"
    assert several().about["format"] == "splitdnn-profile-4"


def test_calibrated_does_as_before_with_it():
    without = changed(**{name: None for name in PROFILE.arrays if name.startswith("inter.")})
    tensor = features(PROFILE.shapes[0], 1, seed=3, signed=True)[0]
    old, new = Calibrated(without), Calibrated(PROFILE)
    assert new.encode(tensor).payload == old.encode(tensor).payload
    assert np.array_equal(
        new.decode(*new.encode(tensor), tensor.shape), old.decode(*old.encode(tensor), tensor.shape)
    )


def test_a_profile_of_single_frames_is_refused():
    with pytest.raises(ProfileContentError, match="calibrate --inter"):
        CalibratedInter(make_profile())
    with pytest.raises(ContentError, match="calibrate --inter"):
        CalibratedInter.around(Calibrated.reader(make_profile()))


def test_what_a_cloud_has_built_decodes_both_codecs():
    profile = several()
    reader = Calibrated.reader(profile)
    codec = CalibratedInter.around(reader)
    assert codec._model is reader._model
    assert codec.of_tensor(2)._model is reader.of_tensor(2)._model
    assert reader.id == 16
    receiver, sender = codec.for_stream(), CalibratedInter(profile).for_stream()
    crossing = [stream(shape, 4, signed=number == 1) for number, shape in enumerate(SHAPES)]
    for number, frame in enumerate(zip(*crossing, strict=True)):
        for which, tensor in enumerate(frame):
            sent = sender.of_tensor(which).encode(tensor)
            assert len(sent.params) == (4 if which else 20)
            assert bool(sender.needs(sent.params)) is (number > 0)
            found = receiver.of_tensor(which).decode(*sent, tensor.shape)
            plain = reader.of_tensor(which)
            expected = Calibrated(profile).of_tensor(which).encode(tensor)
            assert np.array_equal(found, plain.decode(*expected, tensor.shape))


def test_a_streams_tensors_are_one_stream():
    sender = CalibratedInter(several()).for_stream()
    assert sender.of_tensor(0) is sender
    assert sender.of_tensor(1) is sender.of_tensor(1)
    first, second = ([features(shape, 1, seed=seed)[0] for shape in SHAPES] for seed in (0, 1))

    def send(frame):
        return [bool(sender.needs(sender.of_tensor(n).encode(each).params)) for n, each in enumerate(frame)]

    assert send(first) == [False] * 3
    assert send(second) == [True] * 3
    sender.of_tensor(2).forget()
    assert send(first) == [False] * 3
    assert send(second) == [True] * 3
    with pytest.raises(ContentError, match="NaN"):
        sender.of_tensor(0).encode(first[0]), sender.of_tensor(1).encode(first[1] * np.nan)
    assert send(second) == [False] * 3, "the frame was never sent"
    with pytest.raises(ContentError, match="of 3 tensors"):
        sender.of_tensor(3)


def test_all_tensors_of_a_stream_are_as_sticky():
    profile = several()
    for codec, changes in (
        (CalibratedInter(profile).with_options(interval=50, sticky=70), False),
        (CalibratedInter(sticky=70).bind(profile), False),
        (CalibratedInter(profile), True),
    ):
        for which, shape in enumerate(SHAPES):
            sender, kept = codec.for_stream(), []
            for tensor in stream(shape, 6, signed=which == 1):
                if which:
                    sender.encode(np.zeros(SHAPES[0], np.float32))
                sender.of_tensor(which).encode(tensor)
                kept.append(sender.of_tensor(which)._history.magnitudes)
            with naming(which, changes):
                assert any(not np.array_equal(each, kept[0]) for each in kept) is changes


def test_a_mean_over_positions_follows_too():
    shape = (8, 6, 6)
    importance = Importance(np.ones(8, np.float32), np.ones((6, 6), np.float32), pooled=True)
    runs = [stream(shape, seed=seed) for seed in (0, 20)]
    profile = fit_profile(
        [each for run in runs for each in run],
        Preset(step=0.3, groups=2, context_rank=2, corrector_rank=2),
        fingerprint=b"profile.",
        split_point="layer4",
        importance=importance,
        runs=runs,
    )
    sender, receiver = CalibratedInter(profile).for_stream(), CalibratedInter(profile).for_stream()
    for tensor in runs[0][:4]:
        found = receiver.decode(*sender.encode(tensor), shape)
        assert np.ptp(found.reshape(8, -1), axis=1).max() == 0
        assert np.abs(found - tensor.mean((1, 2), keepdims=True)).max() < 0.3


def test_an_array_that_is_missing_or_another_is_named():
    names = [name for name in PROFILE.arrays if name.startswith("inter.") and name != "inter.ladder"]
    assert len(names) > 5
    for name in names:
        array = PROFILE.arrays[name]
        for other in (None, array.astype(np.int32), array[..., None]):
            with naming(name), pytest.raises(ProfileContentError, match=name.replace(".", r"\.")):
                Calibrated(changed(**{name: other}))


def test_numbers_out_of_range_are_refused():
    classes = PROFILE.arrays["inter.0.classes"].copy()
    classes[3, 4] = 64
    tables = PROFILE.arrays["inter.magnitudes"]
    for arrays, said in (
        ({"inter.0.classes": classes}, "out of range"),
        ({"inter.ladder": np.zeros(64, np.uint16)}, "frequencies"),
        ({"inter.signs": np.array([1, 0, 2], np.uint16)}, "frequencies"),
        ({"inter.magnitudes": np.zeros_like(tables)}, "frequencies"),
        ({"inter.magnitudes": tables[:-1]}, "out of range"),
        ({"inter.magnitudes": np.concatenate([tables] * 5)}, "out of range"),
    ):
        with naming(said), pytest.raises(ProfileContentError, match=said):
            Calibrated(changed(**arrays))


def test_it_costs_more_to_hold():
    without = changed(**{name: None for name in PROFILE.arrays if name.startswith("inter.")})
    more = cost_of(PROFILE).held_bytes - cost_of(without).held_bytes
    tables = PROFILE.arrays["inter.magnitudes"]
    assert more > len(PROFILE.data) - len(without.data) + 4096 * (64 + tables.shape[0] * 8)


def test_a_frame_of_another_profile_is_refused_by_a_stream():
    other = CalibratedInter(following_profile()).for_stream()
    receiver = CalibratedInter(PROFILE).for_stream()
    tensor = features(PROFILE.shapes[0], 1)[0]
    with pytest.raises(ContentError, match="was made with the profile"):
        receiver.decode(*other.encode(tensor), tensor.shape)
    with pytest.raises(StateMissingError):
        receiver.decode(PROFILE.digest + b"1234", b"", tensor.shape)
