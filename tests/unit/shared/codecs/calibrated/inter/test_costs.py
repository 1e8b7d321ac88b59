"""What a profile of format 4 may hold, and what it costs: counted before it is built, and no less than what it takes."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from kits.naming import naming
from kits.profiles import SMALL, features, following_profile

from bench.attack.worst_profile import worst_profile
from shared.codecs.calibrated.codec import Calibrated
from shared.codecs.calibrated.cost import cost_of
from shared.codecs.calibrated.inter.codec import CalibratedInter
from shared.codecs.calibrated.inter.history import CONTEXTS, UNRESTS
from shared.codecs.calibrated.native import memory
from shared.codecs.calibrated.profile import FORMAT_3, Profile
from shared.errors import ProfileContentError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

TWO_LEVELS = following_profile(preset=replace(SMALL, levels=2))


def made_of(profile: Profile, more: dict[str, NDArray[Any]]) -> Profile:
    return Profile.make(
        {**profile.arrays, **more},
        fingerprint=profile.fingerprint,
        split_point=profile.split_point,
        shapes=profile.shapes,
        about=profile.about,
    )


def worst(shape: tuple[int, ...]) -> Profile:
    """The worst profile, and the worst of what follows."""
    profile = worst_profile(shape)
    tables = profile.arrays["magnitudes"]
    passes = [name.split(".")[1] for name in profile.arrays if name.endswith(".bias")]
    return made_of(
        profile,
        {
            "inter.ladder": np.full(64, 32768, np.uint16),
            "inter.magnitudes": tables,
            "inter.signs": np.full(3, 32768, np.uint16),
            **{f"inter.{number}.classes": np.zeros((UNRESTS, CONTEXTS, 64), np.uint8) for number in passes},
        },
    )


def peak_of(work: Callable[[], object]) -> tuple[int, int]:
    """Bytes that its result holds, and at most while it runs."""
    tracemalloc.start()
    try:
        kept = work()
        found = tracemalloc.get_traced_memory()
        del kept
    finally:
        tracemalloc.stop()
    return found


def test_what_follows_takes_no_more_than_was_counted() -> None:
    for shape in ((256, 14, 14), (16, 56, 56), (1, 120, 120), (2048,)):
        data = worst(shape).data
        tensor = features(shape, 2, signed=True)
        for compiled in (True, False):
            profile = Profile.from_bytes(bytes(bytearray(data)))
            cost = cost_of(profile)
            with naming(shape, compiled, cost):
                held, peak = peak_of(
                    lambda profile=profile, compiled=compiled: Calibrated.reader(profile, compiled=compiled)
                )
                assert held <= cost.held_bytes
                assert peak <= 2 * cost.held_bytes + len(data)
                codec = CalibratedInter(profile, compiled=compiled)
                sender, receiver = codec.for_stream(), codec.for_stream()
                first, second = (sender.encode(each) for each in tensor)
                assert sender.needs(second.params)
                receiver.decode(*first, shape)
                memory._spare.clear()
                _, peak = peak_of(
                    lambda receiver=receiver, second=second, shape=shape: receiver.decode(*second, shape)
                )
                assert peak <= cost.frame_bytes


def test_an_array_that_nothing_uses_is_refused() -> None:
    """The compiled library would be given it as it is: of any shape, of any numbers, uncounted."""
    many = np.zeros((100, 1000, 3), np.uint16)
    signed = following_profile(signed=True)
    for profile, name, array in (
        (TWO_LEVELS, "inter.magnitudes", many),
        (TWO_LEVELS, "inter.magnitudes", np.float32(np.nan).reshape(())),
        (TWO_LEVELS, "inter.signs", np.zeros(0, np.uint16)),
        (following_profile(), "inter.signs", np.zeros(1_000_000, np.uint16)),
        (signed, "inter.99.classes", signed.arrays["inter.0.classes"]),
        (signed, "inter.more", np.zeros(1, np.uint8)),
    ):
        with naming(name, array.shape), pytest.raises(ProfileContentError, match=f"no use for.*{name}"):
            Calibrated(made_of(profile, {name: array}))
    assert Calibrated(TWO_LEVELS)._model.follows


def test_a_profile_of_an_older_format_says_nothing_of_what_follows() -> None:
    """Readers of such a format have never looked at these arrays, whatever they are."""
    tensor = features(TWO_LEVELS.shapes[0], 1)[0]
    for more in ({}, {"inter.ladder": np.zeros((2, 3), np.float32)}, {"inter.signs": np.zeros(0, np.uint16)}):
        data = made_of(TWO_LEVELS, more).data
        old = Profile.from_bytes(data.replace(b"splitdnn-profile-4", FORMAT_3.encode()))
        for compiled in (True, False):
            with naming(more, compiled):
                codec = Calibrated(old, compiled=compiled)
                assert not codec._model.follows
                codec.decode(*codec.encode(tensor), tensor.shape)
                with pytest.raises(ProfileContentError, match="calibrate --inter"):
                    CalibratedInter(old, compiled=compiled)
        assert cost_of(old).held_bytes < cost_of(TWO_LEVELS).held_bytes
