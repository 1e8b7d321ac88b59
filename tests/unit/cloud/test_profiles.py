"""The cloud's store of profiles: bounded, for any thread, and strict about which frame may use which."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from kits.codecs import FINGERPRINT, frame_of
from kits.gain import Gained, gain_profile
from prometheus_client import Counter, Gauge

from cloud import profiles as profiles_module
from cloud.bodies.frames import read_frame
from cloud.profiles import MAX_PROFILES, MAX_STORED_BYTES, Profiles
from shared.codecs.calibrated.profile import Profile
from shared.errors import ContentError, ProfileContentError, ProfileMissingError
from shared.limits import MAX_PROFILE_BYTES
from shared.wire import frame as wire

SHAPE = (4, 3, 5)


def store(make_codec: Any = Gained) -> Profiles:
    return Profiles(
        make_codec, held=Gauge("held", "", registry=None), evicted=Counter("went", "", registry=None)
    )


def counted(profiles: Profiles) -> tuple[float, float]:
    return profiles._gauge._value.get(), profiles._evicted._value.get()


def profile_of(gain: float = 2.0, room: int = 0) -> Profile:
    return gain_profile(FINGERPRINT, "layer3", SHAPE, gain, room, made="by a test")


def test_a_frame_is_decoded_by_the_codec_of_the_profile_that_it_names() -> None:
    profiles = store()
    array = np.linspace(-8, 8, 60, dtype=np.float32).reshape(SHAPE)
    frames = []
    for gain in (2.0, 4.0, 0.5):
        profiles.add(profile_of(gain))
        frames.append(frame_of(Gained(profile_of(gain)), array))
    for frame in frames:
        codec = profiles.codec_of(frame)
        (sent,) = frame.tensors
        np.testing.assert_array_equal(codec.decode(sent.params, sent.payload, sent.shape), array)


@pytest.mark.parametrize("params", [b"", bytes(15), bytes(17), bytes(4096)], ids=len)
def test_parameters_that_are_no_name(params: bytes) -> None:
    frame = frame_of(Gained(profile_of()), params=params)
    with pytest.raises(ContentError) as caught:
        store().codec_of(frame)
    assert caught.value.accepted == {"parameter_bytes": 16}
    assert str(len(params)) in str(caught.value)


def test_a_profile_that_is_not_here_is_asked_for_by_name() -> None:
    profile = profile_of()
    with pytest.raises(ProfileMissingError, match=profile.name) as caught:
        store().codec_of(frame_of(Gained(profile)))
    assert caught.value.accepted == {"put": f"/profiles/{profile.name}"}


@pytest.mark.parametrize(
    "changes", [{"split_point": "layer4"}, {"shape": (3, 4, 5)}, {"shape": (60,)}], ids=str
)
def test_a_profile_is_for_one_tensor(changes: dict[str, Any]) -> None:
    profiles, profile = store(), profile_of()
    profiles.add(profile)
    with pytest.raises(ContentError, match=profile.name) as caught:
        profiles.codec_of(frame_of(Gained(profile), **changes))
    assert caught.value.accepted == {"split_point": "layer3", "shape": list(SHAPE)}


def test_what_was_not_used_for_longest_goes_first() -> None:
    profiles = store()
    many = [profile_of(1.0 + number) for number in range(MAX_PROFILES + 2)]
    for profile in many[:MAX_PROFILES]:
        profiles.add(profile)
    profiles.codec_of(frame_of(Gained(many[0])))  # used by a frame
    assert profiles.touch(many[1].name)
    assert counted(profiles) == (MAX_PROFILES, 0)
    profiles.describe_one(many[2].name)  # asking is no use
    for profile in many[MAX_PROFILES:]:
        profiles.add(profile)
    gone = {profile.name for profile in many} - set(profiles.names())
    assert gone == {many[2].name, many[3].name}
    assert counted(profiles) == (MAX_PROFILES, 2)
    assert not profiles.touch(many[2].name)
    with pytest.raises(ProfileMissingError):
        profiles.codec_of(frame_of(Gained(many[2])))


def test_bytes_are_bounded_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(profiles_module, "MAX_STORED_BYTES", 3000)
    profiles = store()
    for gain in (1.0, 2.0, 3.0):
        profiles.add(profile_of(gain, room=1000))
    assert profiles.names() == [profile_of(gain, room=1000).name for gain in (2.0, 3.0)]
    profiles.add(profile_of(4.0, room=2600))
    assert profiles.names() == [profile_of(4.0, room=2600).name]
    assert counted(profiles) == (1, 3)


def test_where_there_is_no_store_every_profile_is_missing(model: Any, partition: Any) -> None:
    array = np.zeros(512, np.float32)
    profile = gain_profile(model.fingerprint, "flatten", (512,))
    frame = frame_of(Gained(profile), array, split_point="flatten", fingerprint=model.fingerprint)
    with pytest.raises(ProfileMissingError) as caught:
        read_frame(wire.pack(frame), model, partition)
    assert caught.value.accepted == {"put": f"/profiles/{profile.name}"}
    profiles = store()
    with pytest.raises(ProfileMissingError):
        read_frame(wire.pack(frame), model, partition, profiles)
    profiles.add(profile)
    work = read_frame(wire.pack(frame), model, partition, profiles)
    np.testing.assert_array_equal(work.crossing[0], array[None])
    assert (work.codec, work.payload_bytes) == ("calibrated", 2048)


def test_the_largest_profile_fits() -> None:
    assert MAX_STORED_BYTES >= MAX_PROFILE_BYTES


def test_the_same_again_takes_no_more_room() -> None:
    profiles = store()
    for _ in range(3):
        profiles.add(profile_of())
    assert len(profiles.names()) == 1
    assert counted(profiles) == (1, 0)


def test_one_that_cannot_be_used_is_not_kept() -> None:
    profiles = store()
    useless = Profile.make({}, fingerprint=FINGERPRINT, split_point="layer3", shapes=[SHAPE], about={})
    with pytest.raises(ProfileContentError):
        profiles.add(useless)
    assert profiles.names() == []
    assert counted(profiles) == (0, 0)


def test_frames_are_decoded_while_another_profile_is_built() -> None:
    building, go_on = threading.Event(), threading.Event()

    def slow(profile: Profile) -> Gained:
        if profile.arrays["gain"][0] == 7:
            building.set()
            assert go_on.wait(10)
        return Gained(profile)

    profiles = store(slow)
    profiles.add(profile_of())
    with ThreadPoolExecutor(1) as pool:
        added = pool.submit(profiles.add, profile_of(7))
        assert building.wait(10)
        profiles.codec_of(frame_of(Gained(profile_of())))
        assert len(profiles.names()) == 1
        go_on.set()
        added.result(10)
    assert len(profiles.names()) == 2


def test_many_threads_at_once() -> None:
    """However they meet, the store is bounded and a frame gets its own codec or is told that there is none."""
    profiles = store()
    many = [profile_of(1.0 + number) for number in range(2 * MAX_PROFILES)]
    frames = [frame_of(Gained(profile)) for profile in many]

    def work(seed: int) -> None:
        for number in np.random.default_rng(seed).integers(0, len(many), 200):
            try:
                codec = profiles.codec_of(frames[number])
            except ProfileMissingError:
                profiles.add(many[number])
            else:
                assert isinstance(codec, Gained)
                assert codec.profile.digest == frames[number].tensors[0].params
            assert len(profiles.names()) <= MAX_PROFILES
            assert len(profiles.describe()) <= MAX_PROFILES

    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(work, seed) for seed in range(4)]:
            done.result(30)
    assert counted(profiles)[0] == MAX_PROFILES == len(profiles.names())


def test_a_profile_is_described_by_name_tensor_size_and_origin() -> None:
    profiles, profile = store(), profile_of()
    profiles.add(profile)
    said = {
        "name": profile.name,
        "split_point": "layer3",
        "shape": list(SHAPE),
        "bytes": len(profile.data),
        "about": dict(profile.about),
    }
    assert said["about"]["made"] == "by a test"
    assert profiles.describe() == [said]
    assert profiles.describe_one(profile.name) == said
    assert profiles.describe_one("00" * 16) is None
