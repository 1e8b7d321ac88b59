"""Frames of `calibrated-inter` by the profiles that a cloud has."""

from __future__ import annotations

import numpy as np
import pytest
from kits.codecs import FINGERPRINT, changed
from kits.profiles import SMALL, features, following_profile, stream
from prometheus_client import Gauge

from cloud.bodies.frames import check_frame, decode_frame
from cloud.profiles.store import Profiles
from edge.calibration.fit import fit_profile
from shared.codecs import encode_frame
from shared.codecs.calibrated.inter.codec import CalibratedInter
from shared.codecs.calibrated.profile import Profile
from shared.errors import ContentError, ProfileMissingError, StateMissingError
from shared.network.partition import Partition, SplitPoint
from shared.observing.counting.counter import Counter

SHAPE = (8, 6, 6)
FITTED = following_profile()
PROFILE = Profile.make(
    FITTED.arrays, fingerprint=FINGERPRINT, split_point="layer3", shapes=[SHAPE], about=FITTED.about
)
FIELDS = {"split_point": "layer3", "fingerprint": FINGERPRINT, "frame_id": 1}


def store(*profiles):
    found = Profiles(held=Gauge("held", "", registry=None), evicted=Counter("went", "", registry=None))
    for profile in profiles:
        found.add(Profile.from_bytes(profile.data))
    return found


def frames(count=3):
    sender = CalibratedInter(PROFILE).for_stream()
    return [encode_frame([tensor], sender, **FIELDS) for tensor in stream(SHAPE, count)]


def test_a_stream_of_the_stores_codec_decodes_frames_in_order():
    profiles = store(PROFILE)
    first, *others = frames()
    receiver = profiles.codec_of(first).for_stream()
    for frame, tensor in zip([first, *others], stream(SHAPE, 3), strict=True):
        (sent,) = frame.tensors
        found = receiver.decode(sent.params, sent.payload, sent.shape)
        assert np.abs(found - tensor).mean() < 0.5
        assert profiles.codec_of(frame).revision == receiver.revision


def test_without_a_stream_only_keyframes_are_read():
    profiles, partition = store(PROFILE), Partition([SplitPoint("layer3", (SHAPE,), 1, 1)])
    first, second, _ = frames()
    (found,) = decode_frame(check_frame(first, partition, profiles), None).crossing
    assert found.shape == (1, *SHAPE)
    with pytest.raises(StateMissingError):
        decode_frame(check_frame(second, partition, profiles), None)


def test_a_profile_that_is_missing_is_named_by_its_own_name():
    first, *_ = frames(1)
    with pytest.raises(ProfileMissingError) as caught:
        store().codec_of(first)
    assert caught.value.name == PROFILE.name
    with pytest.raises(ContentError) as refused:
        store(PROFILE).codec_of(changed(first, params=PROFILE.digest))
    assert refused.value.accepted == {"parameter_bytes": 20}


def test_a_profile_of_single_frames_is_refused():
    single = fit_profile(features(SHAPE), SMALL, fingerprint=FINGERPRINT, split_point="layer3")
    first, *_ = frames(1)
    with pytest.raises(ContentError, match="calibrate --inter"):
        store(single).codec_of(changed(first, params=single.digest + bytes(4)))
