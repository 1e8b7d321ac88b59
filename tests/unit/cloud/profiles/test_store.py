"""The cloud's store of profiles: bounded, for any thread, and strict about which frame may use which."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from kits.codecs import FINGERPRINT, frame_of
from kits.gain import Gained, gain_profile
from prometheus_client import Gauge

from cloud.access.refusals import OverQuotaError
from cloud.bodies.frames import read_frame
from cloud.profiles.store import Profiles
from shared.codecs.calibrated.cost import cost_of
from shared.codecs.calibrated.profile import Profile
from shared.errors import ContentError, ProfileContentError, ProfileMissingError
from shared.limits import MAX_CLIENT_PROFILES, MAX_PROFILES
from shared.observing.counting.counter import Counter
from shared.wire import frame as wire

SHAPE = (4, 3, 5)


def store(make_codec: Any = Gained, **clocks: Any) -> Profiles:
    held, evicted = Gauge("held", "", registry=None), Counter("went", "", registry=None)
    return Profiles(make_codec, held=held, evicted=evicted, **clocks)


def counted(profiles: Profiles) -> tuple[float, float]:
    return profiles._gauge._value.get(), profiles._evicted.labels().value()


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


def test_of_a_clients_own_what_was_not_used_for_longest_goes_first() -> None:
    profiles = store()
    many = [profile_of(1.0 + number) for number in range(MAX_CLIENT_PROFILES + 2)]
    for profile in many[:MAX_CLIENT_PROFILES]:
        profiles.add(profile, "a")
    profiles.codec_of(frame_of(Gained(many[0])))  # used by a frame
    assert profiles.touch(many[1].name, "a")
    assert counted(profiles) == (MAX_CLIENT_PROFILES, 0)
    profiles.describe_one(many[2].name)  # asking is no use
    for profile in many[MAX_CLIENT_PROFILES:]:
        profiles.add(profile, "a")
    gone = {profile.name for profile in many} - set(profiles.names())
    assert gone == {many[2].name, many[3].name}
    assert counted(profiles) == (MAX_CLIENT_PROFILES, 2)
    assert not profiles.touch(many[2].name, "a")
    with pytest.raises(ProfileMissingError):
        profiles.codec_of(frame_of(Gained(many[2])))


def test_whoever_sends_many_pushes_out_only_its_own() -> None:
    profiles, honest = store(), profile_of(0.5)
    profiles.add(honest, "honest")
    for number in range(3 * MAX_PROFILES):
        profiles.add(profile_of(1.0 + number), "greedy")
    assert honest.name in profiles.names()
    assert counted(profiles) == (1 + MAX_CLIENT_PROFILES, 3 * MAX_PROFILES - MAX_CLIENT_PROFILES)


def test_a_refused_profile_is_not_built_and_takes_nothing() -> None:
    built = []

    def make(profile: Profile) -> Gained:
        built.append(profile)
        return Gained(profile)

    profiles = store(make, clock=lambda: 0.0)
    for number in range(MAX_PROFILES):
        profiles.add(profile_of(1.0 + number), f"client {number}")
    before = profiles.names()
    with pytest.raises(OverQuotaError, match="in use"):
        profiles.add(profile_of(0.5), "late")
    assert (profiles.names(), len(built)) == (before, MAX_PROFILES)
    assert counted(profiles) == (MAX_PROFILES, 0)


def test_the_log_has_a_line_for_many_that_went(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    now = [0.0]
    profiles = store(clock=lambda: now[0])
    for number in range(MAX_CLIENT_PROFILES + 50):
        profiles.add(profile_of(1.0 + number), "greedy")
    assert [record.getMessage()[:17] for record in caplog.records] == ["dropped 1 profile"]
    now[0] = 60.0
    profiles.add(profile_of(0.5), "greedy")
    assert caplog.records[-1].getMessage().startswith("dropped 50 profiles")


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
            assert go_on.wait(60)
        return Gained(profile)

    profiles = store(slow)
    profiles.add(profile_of())
    with ThreadPoolExecutor(1) as pool:
        added = pool.submit(profiles.add, profile_of(7))
        assert building.wait(60)
        profiles.codec_of(frame_of(Gained(profile_of())))
        assert len(profiles.names()) == 1
        go_on.set()
        added.result(60)
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
            assert len(profiles.names()) <= MAX_CLIENT_PROFILES
            assert len(json.loads(profiles.listing())["profiles"]) <= MAX_CLIENT_PROFILES

    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(work, seed) for seed in range(4)]:
            done.result(60)
    assert counted(profiles)[0] == MAX_CLIENT_PROFILES == len(profiles.names())


def test_a_profile_is_described_by_name_tensor_size_origin_and_cost() -> None:
    now = iter((1.0, 1.25, 1.5))
    profiles, profile = store(cpu_clock=lambda: next(now)), profile_of()
    profiles.add(profile)
    said = {
        "name": profile.name,
        "split_point": "layer3",
        "shape": list(SHAPE),
        "bytes": len(profile.data),
        "held_bytes": cost_of(profile).held_bytes,
        "decode_ms": 250.0,
        "about": dict(profile.about),
    }
    assert said["about"]["made"] == "by a test"
    assert json.loads(profiles.listing()) == {"profiles": [said]}
    assert json.loads(profiles.describe_one(profile.name) or b"") == said
    assert profiles.describe_one("00" * 16) is None


def test_the_listing_is_made_once_for_all_who_ask() -> None:
    profiles = store()
    assert json.loads(profiles.listing()) == {"profiles": []}
    profiles.add(profile_of(), "a")
    first = profiles.listing()
    profiles.codec_of(frame_of(Gained(profile_of())))
    assert profiles.listing() is first
    profiles.add(profile_of(3.0), "a")
    assert [each["name"] for each in json.loads(profiles.listing())["profiles"]] == profiles.names()
    profiles.keep([])
    assert json.loads(profiles.listing()) == {"profiles": []}
    assert profiles.names() == []
