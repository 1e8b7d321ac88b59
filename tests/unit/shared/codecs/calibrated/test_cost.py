"""What a profile costs is known before it is built, and is no less than what it takes."""

from __future__ import annotations

import contextlib
import itertools
import tracemalloc
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from kits.naming import naming
from kits.profiles import SMALL, features, make_profile, still_camera

from bench.attack.worst_profile import worst_profile
from shared.codecs.calibrated import codec as codec_module
from shared.codecs.calibrated import entropy
from shared.codecs.calibrated.codec import Calibrated
from shared.codecs.calibrated.cost import Cost, cost_of
from shared.codecs.calibrated.native import memory
from shared.codecs.calibrated.profile import Profile
from shared.errors import ContentError, LimitError, ProfileContentError
from shared.limits import (
    MAX_CODING_TABLES,
    MAX_DECODE_MULTIPLICATIONS,
    MAX_PROFILE_FRAME_BYTES,
    MAX_PROFILE_HELD_BYTES,
    MAX_PROFILE_STRINGS_BYTES,
)

if TYPE_CHECKING:
    from collections.abc import Callable

SHAPES = [(512, 14, 14), (64, 56, 56), (2048,), (49, 768)]
NARROW = [(1, 120, 120), (3, 80, 80), (2, 30_000), (20_000,)]
"""Shapes of so few channels, or positions, that what is added to each of them counts."""


def taken(work: Callable[[], object]) -> tuple[int, int]:
    """Bytes that `work` leaves held by its result, and at most while it runs."""
    tracemalloc.start()
    try:
        kept = work()
        held, peak = tracemalloc.get_traced_memory()
        del kept
    finally:
        tracemalloc.stop()
    return held, peak


def reader_of(data: bytes, *, compiled: bool) -> Calibrated:
    """The codec of a file that nobody else holds."""
    return Calibrated.reader(Profile.from_bytes(bytes(bytearray(data))), compiled=compiled)


def empty(codec: Calibrated, shape: tuple[int, ...]) -> None:
    """Decode the frame that costs its sender least: no payload at all."""
    assert codec.profile is not None
    with contextlib.suppress(
        ContentError
    ):  # whether or not an encoder writes it, all symbols are decoded before that shows
        codec.decode(codec.profile.digest, b"", shape)


def test_no_profile_takes_more_than_was_counted() -> None:
    cases = [
        *itertools.product(SHAPES, (False, True), [{}]),
        *itertools.product(NARROW, (False, True), [{"context_rank": 1, "corrector_rank": 1}]),
    ]
    for shape, whole, ranks in cases:
        data = worst_profile(shape, whole=whole, **ranks).data
        profile = Profile.from_bytes(data)
        cost = cost_of(profile)
        for compiled in (False, True):
            with naming(shape, whole, cost, compiled):
                held, peak = taken(lambda data=data, compiled=compiled: reader_of(data, compiled=compiled))
                assert held <= cost.held_bytes
                assert peak <= 2 * cost.held_bytes + len(data)
                codec = Calibrated(profile, compiled=compiled)
                memory._spare.clear()
                _, peak = taken(lambda codec=codec, shape=shape: empty(codec, shape))
                assert peak <= cost.frame_bytes


def test_the_count_is_not_far_above_what_is_taken() -> None:
    data = worst_profile((512, 14, 14)).data
    held, _ = taken(lambda: reader_of(data, compiled=False))
    assert cost_of(Profile.from_bytes(data)).held_bytes < 2 * held
    less, _ = taken(lambda: reader_of(data, compiled=True))
    assert less < 0.8 * held


def test_products_and_models_are_bounded_by_the_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """Work, not seconds: the multiplications of all matrix products, the symbols, and how often a model is asked."""
    asked: list[int] = []

    class Counting:
        def __init__(self, _words: Any) -> None:
            self.models = 0

        def decode(self, _model: Any, count: int) -> np.ndarray:
            asked.append(count)
            return np.ones(count, np.int32) if count else np.zeros(0, np.int32)

        def is_empty(self) -> bool:
            return True

    monkeypatch.setattr(entropy.stream.stack, "AnsCoder", Counting)
    for shape in SHAPES:
        asked.clear()
        profile = worst_profile(shape)
        codec = Calibrated(profile, compiled=False)
        codec.decode(profile.digest, b"", shape)
        with naming(shape):
            assert sum(asked) <= cost_of(profile).symbols
            assert len(asked) <= len(codec.in_numpy.coder.passes) * (64 + MAX_CODING_TABLES + 1)


def test_multiplications_are_those_of_the_matrices() -> None:
    for profile in (make_profile(), still_camera()):
        codec, (shape,) = Calibrated(profile), profile.shapes
        count = 0
        for current in codec.in_numpy.coder.passes:
            weights = codec.in_numpy.coder.contexts._weights[current.index]
            for each in (weights.down, weights.up):
                count += each.size * len(current.positions)
        rank = profile.arrays["corrector_down"].shape[1]
        count += 2 * rank * int(np.prod(shape))
        assert count == cost_of(profile).multiplications


def test_what_is_above_a_limit_is_refused_before_anything_is_built(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codec_module, "NumpyModel", None)
    cases = [
        (Cost(MAX_PROFILE_HELD_BYTES + 1, 0, 0, 0), "bytes to hold"),
        (Cost(0, MAX_PROFILE_FRAME_BYTES + 1, 0, 0), "bytes to decode a frame"),
        (Cost(0, 0, MAX_DECODE_MULTIPLICATIONS + 1, 0), "multiplications a frame"),
    ]
    for cost, words in cases:
        monkeypatch.setattr(codec_module, "cost_of", lambda _profile, cost=cost: cost)
        with naming(words), pytest.raises(LimitError, match=words) as refused:
            Calibrated(make_profile())
        assert next(iter(refused.value.accepted.values())) > 0
    Cost(MAX_PROFILE_HELD_BYTES, MAX_PROFILE_FRAME_BYTES, MAX_DECODE_MULTIPLICATIONS, 0).require_affordable()


def test_a_reader_decodes_the_same_and_holds_no_file() -> None:
    profile = make_profile()
    (shape,) = profile.shapes
    tensor = features(shape, 1)[0]
    codec, reader = Calibrated(profile), Calibrated.reader(profile)
    sent = codec.encode(tensor)
    np.testing.assert_array_equal(reader.decode(*sent, shape), codec.decode(*sent, shape))
    assert reader.profile is not None
    assert (reader.profile.name, reader.profile.data, reader.profile.arrays) == (profile.name, b"", {})


def test_tables_that_no_symbol_can_name_are_refused() -> None:
    profile = make_profile()
    rows = {
        "magnitudes": (MAX_CODING_TABLES // 8 + 1, "tables of magnitudes"),
        "context.0.classes": (MAX_CODING_TABLES + 1, "kinds of symbols"),
    }
    for name, (count, words) in rows.items():
        array = profile.arrays[name]
        longer = np.repeat(array[:1], count, axis=0)
        with naming(name), pytest.raises(LimitError, match=words):
            Calibrated(_with(profile, {name: longer}))


def test_ranks_beyond_what_the_channels_can_use_are_refused() -> None:
    profile = make_profile()
    up, down = profile.arrays["context.0.up"], profile.arrays["corrector_down"]
    channels = down.shape[0]
    wide = {name: np.zeros((up.shape[1] + 1, up.shape[1]), np.int16) for name in ("context.0.up",)}
    columns = np.zeros((channels, channels + 1), down.dtype)
    for arrays, words in ((wide, "contexts of rank"), ({"corrector_down": columns}, "corrector of rank")):
        with naming(words), pytest.raises(ProfileContentError, match=words):
            Calibrated(_with(profile, arrays))


def test_strings_are_bounded_as_they_are_told() -> None:
    profile = make_profile()
    for text in ("x" * MAX_PROFILE_STRINGS_BYTES, "\U0001f600" * (MAX_PROFILE_STRINGS_BYTES // 12)):
        with naming(text[:1]), pytest.raises(LimitError, match="strings"):
            _with(profile, {}, note=text)
    _with(profile, {}, note="x" * (MAX_PROFILE_STRINGS_BYTES // 2))


def test_a_calibration_is_far_from_every_limit() -> None:
    cost = cost_of(make_profile(shape=(64, 14, 14), preset=SMALL))
    assert 20 * cost.held_bytes < MAX_PROFILE_HELD_BYTES
    assert 20 * cost.multiplications < MAX_DECODE_MULTIPLICATIONS


def _with(profile: Profile, arrays: dict[str, np.ndarray], **about: str) -> Profile:
    return Profile.make(
        {**profile.arrays, **arrays},
        fingerprint=profile.fingerprint,
        split_point=profile.split_point,
        shapes=profile.shapes,
        about={**profile.about, **about},
    )
