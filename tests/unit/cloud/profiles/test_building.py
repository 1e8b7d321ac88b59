"""What a profile costs is measured while it is built."""

from __future__ import annotations

import gc
import json
import weakref
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from kits.naming import naming
from kits.profiles import SMALL, features, following_profile, make_profile, stream

from cloud.profiles.building import build
from edge.calibration.fit import fit_crossing
from shared.codecs.calibrated.codec import Calibrated
from shared.codecs.calibrated.cost import Cost
from shared.codecs.calibrated.inter.codec import CalibratedInter
from shared.errors import LimitError
from shared.limits import MAX_DECODE_S, MAX_PROFILE_HELD_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable


def clock(*seconds: float) -> Callable[[], float]:
    given = iter(seconds)
    return lambda: next(given)


def test_building_and_decoding_are_timed_apart() -> None:
    held = build(make_profile(), Calibrated.reader, clock(10.0, 10.5, 10.75))
    assert (held.build_s, held.decode_s) == (0.5, 0.25)
    assert json.loads(held.description)["decode_ms"] == 250.0


def test_neither_file_nor_arrays_are_kept() -> None:
    profile = make_profile()
    held = build(profile, Calibrated.reader)
    assert (held.profile.name, held.profile.data, held.profile.arrays) == (profile.name, b"", {})
    assert held.codec.profile is not profile  # type: ignore[attr-defined]


def test_what_is_dropped_is_gone_at_once() -> None:
    """In a circle it would stay until the next full collection: uploads that replaced each other took 300 MB so."""
    crossing = [features(shape) for shape in [(8, 6, 6), (8, 3, 3)]]
    fitted = fit_crossing(crossing, [SMALL] * 2, fingerprint=b"profile.", split_point="neck")
    gc.disable()
    try:
        for profile in (make_profile(), fitted):
            held = build(profile, Calibrated.reader)
            gone = [weakref.ref(held.codec.of_tensor(number)) for number in range(len(profile.shapes))]
            del held
            assert [each() for each in gone] == [None] * len(gone), len(gone)
    finally:
        gc.enable()


def test_every_tensor_is_decoded_once_and_the_codec_is_whole() -> None:
    shapes = [(8, 6, 6), (8, 3, 3)]
    crossing = [features(shape) for shape in shapes]
    profile = fit_crossing(crossing, [SMALL] * 2, fingerprint=b"profile.", split_point="neck")
    decoded: list[tuple[int, ...]] = []

    class Noting(Calibrated):
        def decode(self, params: bytes, payload: Any, shape: tuple[int, ...]) -> Any:
            decoded.append(shape)
            return super().decode(params, payload, shape)

    def make(given: Any) -> Calibrated:
        codec = Noting(given)
        for each in codec._others:
            each.__class__ = Noting
        return codec

    held = build(profile, make)
    assert decoded == shapes
    codec = Calibrated(profile)
    for number, tensors in enumerate(crossing):
        sent = codec.of_tensor(number).encode(tensors[0])
        want = codec.of_tensor(number).decode(*sent, shapes[number])
        np.testing.assert_array_equal(held.codec.of_tensor(number).decode(*sent, shapes[number]), want)


def test_one_that_takes_too_long_is_refused_by_what_was_measured() -> None:
    build(make_profile(), Calibrated.reader, clock(0.0, 100.0, 100.0 + MAX_DECODE_S))
    with pytest.raises(LimitError, match=r"2\.5 s of a core") as refused:
        build(make_profile(), Calibrated.reader, clock(0.0, 0.0, 2.5))
    assert refused.value.accepted == {"max_seconds": MAX_DECODE_S}


def test_a_frame_that_follows_counts_if_it_takes_longer() -> None:
    profile = following_profile()
    for keyframe_s, following_s in ((0.25, 1.5), (1.5, 0.25)):
        held = build(
            profile, Calibrated.reader, clock(10.0, 10.5, 10.5 + keyframe_s, 20.0, 20.0 + following_s)
        )
        assert (held.build_s, held.decode_s) == (0.5, 1.5)
    with pytest.raises(LimitError, match=r"2\.5 s of a core"):
        build(profile, Calibrated.reader, clock(0.0, 0.0, 0.1, 1.0, 3.5))


def test_of_every_tensor_a_frame_that_follows_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    shapes = [(8, 6, 6), (8, 3, 3)]
    runs = [[stream(shape, seed=seed) for seed in (0, 20)] for shape in shapes]
    crossing = [[tensor for run in each for tensor in run] for each in runs]
    profile = fit_crossing(crossing, [SMALL] * 2, fingerprint=b"profile.", split_point="neck", runs=runs)
    followed: list[tuple[int, ...]] = []
    decode_nothing = CalibratedInter.decode_nothing

    def noting(self: CalibratedInter, history: Any) -> None:
        followed.append(history.magnitudes.shape)
        decode_nothing(self, history)

    monkeypatch.setattr(CalibratedInter, "decode_nothing", noting)
    for compiled in (True, False):
        followed.clear()
        build(profile, lambda given, compiled=compiled: Calibrated.reader(given, compiled=compiled))  # type: ignore[misc]
        assert followed == [(6, 6, 8), (3, 3, 8)]


def test_one_that_is_counted_as_too_much_is_not_built(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "cloud.profiles.building.cost_of", lambda _: Cost(MAX_PROFILE_HELD_BYTES + 1, 0, 0, 0)
    )
    built: list[object] = []
    with naming("held"), pytest.raises(LimitError, match="bytes to hold"):
        build(make_profile(), lambda profile: built.append(profile) or Calibrated(profile))  # type: ignore[func-returns-value]
    assert not built
