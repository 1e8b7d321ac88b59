"""A stream of `calibrated-inter`: keyframes, frames that follow, and what a missing state costs."""

from __future__ import annotations

import numpy as np
import pytest
from kits.naming import naming
from kits.profiles import following_profile, stream

from shared.codecs import make_codec
from shared.codecs.calibrated.codec import Calibrated
from shared.codecs.calibrated.inter.codec import NONE, CalibratedInter
from shared.errors import ContentError, StateMissingError

SHAPE = (8, 6, 6)
PROFILE = following_profile()
CODEC = CalibratedInter(PROFILE)
TENSORS = stream(SHAPE, 8)


def is_keyframe(codec, encoded):
    return not codec.needs(encoded.params)


def keyframes(codec, tensors):
    return [is_keyframe(codec, codec.encode(tensor)) for tensor in tensors]


def test_a_stream_gives_what_calibrated_gives_in_fewer_bytes():
    plain = Calibrated(PROFILE)
    for compiled in (False, True):
        codec = CalibratedInter(PROFILE, compiled=compiled)
        sender, receiver = codec.for_stream(), codec.for_stream()
        sizes = [0, 0]
        for number, tensor in enumerate(TENSORS):
            with naming(compiled, number):
                sent, alone = sender.encode(tensor), plain.encode(tensor)
                expected = plain.decode(*alone, SHAPE)
                np.testing.assert_allclose(receiver.decode(*sent, SHAPE), expected, rtol=0, atol=0)
                assert is_keyframe(codec, sent) is (number == 0)
                assert number or sent.payload == alone.payload
                sizes[0] += len(sent.payload)
                sizes[1] += len(alone.payload)
        assert sizes[0] < 0.8 * sizes[1]


def test_parameters_are_the_profiles_name_and_the_state_that_is_needed():
    sender = CODEC.for_stream()
    first, second = (sender.encode(tensor).params for tensor in TENSORS[:2])
    assert first == PROFILE.digest + NONE
    assert second[:16] == PROFILE.digest
    assert len(second) == 20
    assert CODEC.needs(first) == b""
    assert CODEC.needs(second) == second[16:] != NONE
    for wrong in (b"", bytes(16), bytes(21)):
        with pytest.raises(ContentError, match="bytes of parameters"):
            CODEC.needs(wrong)


def test_a_keyframe_comes_every_interval_and_when_it_is_wanted():
    sender = CODEC.with_options(interval=3, sticky=0).for_stream()
    assert keyframes(sender, TENSORS[:7]) == [True, False, False, True, False, False, True]
    sender.forget()
    sender.forget()
    assert keyframes(sender, TENSORS[:4]) == [True, False, False, True]
    assert keyframes(CODEC.with_options(interval=1, sticky=0).for_stream(), TENSORS[:3]) == [True] * 3


def test_the_codec_itself_codes_keyframes_and_refuses_others():
    sender = CODEC.for_stream()
    first, second = sender.encode(TENSORS[0]), sender.encode(TENSORS[1])
    assert CODEC.encode(TENSORS[0]) == first
    assert CODEC.decode(*first, SHAPE).shape == SHAPE
    with pytest.raises(StateMissingError, match=second.params[16:].hex()) as caught:
        CODEC.decode(*second, SHAPE)
    assert (caught.value.status, caught.value.reason) == (424, "state_missing")


def test_a_lost_frame_costs_one_keyframe():
    sender, receiver = CODEC.for_stream(), CODEC.for_stream()
    sent = [sender.encode(tensor) for tensor in TENSORS[:4]]
    receiver.decode(*sent[0], SHAPE)
    receiver.decode(*sent[1], SHAPE)
    with pytest.raises(StateMissingError):
        receiver.decode(*sent[3], SHAPE)
    with pytest.raises(StateMissingError, match="here is none"):
        receiver.decode(*sent[2], SHAPE)
    sender.forget()
    for tensor in TENSORS[4:6]:
        again = sender.encode(tensor)
        assert np.array_equal(receiver.decode(*again, SHAPE), CODEC.decode(*CODEC.encode(tensor), SHAPE))
    assert not is_keyframe(CODEC, again)


def test_a_lost_frame_shows_where_all_frames_are_alike():
    """Their symbols are the same, and what is remembered of them is not."""
    sender, receiver = CODEC.for_stream(), CODEC.for_stream()
    sent = [sender.encode(TENSORS[0]) for _ in range(4)]
    assert len({each.params for each in sent}) == 4
    receiver.decode(*sent[0], SHAPE)
    with pytest.raises(StateMissingError):
        receiver.decode(*sent[2], SHAPE)


def test_a_damaged_frame_leaves_no_state():
    sender, receiver = CODEC.for_stream(), CODEC.for_stream()
    first, second, third = (sender.encode(tensor) for tensor in TENSORS[:3])
    for damage in (
        lambda: receiver.decode(second.params, second.payload[:-4], SHAPE),
        lambda: receiver.decode(bytes(16) + second.params[16:], second.payload, SHAPE),
        lambda: receiver.decode(*second, (8, 6, 7)),
    ):
        receiver.decode(*first, SHAPE)
        with pytest.raises(ContentError):
            damage()
        with pytest.raises(StateMissingError):
            receiver.decode(*second, SHAPE)
    receiver.decode(*first, SHAPE)
    receiver.decode(*second, SHAPE)
    receiver.decode(*third, SHAPE)


def test_a_tensor_that_cannot_be_coded_costs_a_keyframe():
    sender = CODEC.for_stream()
    strange = TENSORS[1].copy()
    strange[0, 0, 0] = np.nan
    assert keyframes(sender, TENSORS[:2]) == [True, False]
    with pytest.raises(ContentError, match="NaN"):
        sender.encode(strange)
    assert keyframes(sender, TENSORS[2:4]) == [True, False]


def test_streams_know_nothing_of_each_other():
    one, other = CODEC.for_stream(), CODEC.for_stream()
    one.encode(TENSORS[0])
    assert is_keyframe(CODEC, other.encode(TENSORS[0]))
    assert is_keyframe(CODEC, one.for_stream().encode(TENSORS[0]))
    assert not is_keyframe(CODEC, one.encode(TENSORS[1]))


def test_signed_tensors_have_signs_by_those_before():
    for shape in (SHAPE, (16,), (5, 12)):
        profile = following_profile(shape, signed=True)
        sender, receiver = CalibratedInter(profile).for_stream(), CalibratedInter(profile).for_stream()
        plain, sizes = Calibrated(profile), [0, 0]
        for tensor in stream(shape, 8, signed=True):
            sent, alone = sender.encode(tensor), plain.encode(tensor)
            assert np.array_equal(receiver.decode(*sent, shape), plain.decode(*alone, shape))
            sizes[0] += len(sent.payload)
            sizes[1] += len(alone.payload)
        with naming(shape):
            assert sizes[0] < 0.9 * sizes[1]


def test_sticky_symbols_change_only_beyond_their_cell():
    rng = np.random.default_rng(4)
    still = TENSORS[0]
    step = PROFILE.arrays["step"][:, None, None] * PROFILE.arrays["position_scale"]
    sizes = {}
    for sticky in (0, 60):
        sender = CODEC.with_options(interval=50, sticky=sticky).for_stream()
        sender.encode(still)
        noisy = [np.maximum(still + 0.2 * step * rng.standard_normal(SHAPE), 0) for _ in range(5)]
        sizes[sticky] = sum(len(sender.encode(each.astype(np.float32)).payload) for each in noisy)
        moved = np.maximum(still + 3 * step, 0).astype(np.float32)
        sent = sender.encode(moved)
    assert sizes[60] < 0.6 * sizes[0]
    receiver = CODEC.with_options(interval=50, sticky=60).for_stream()
    model = receiver._model
    history = model.remember(*model.quantise(still), None)
    changed, _ = model.quantise(moved, history, 0.6)
    assert np.array_equal(changed, model.quantise(moved)[0]), "what has moved far is as if nothing were known"
    assert sent.payload


def test_options_and_names():
    codec = make_codec("calibrated-inter:interval=10,sticky=25")
    assert (codec.id, codec.inter, codec.options()) == (17, True, {"interval": 10, "sticky": 25})
    bound = codec.bind(PROFILE)
    assert bound.options() == codec.options()
    assert bound.for_stream().options() == codec.options()
    assert bound.revision == PROFILE.name
    assert codec.for_stream() is codec, "without a profile there is nothing to encode"
