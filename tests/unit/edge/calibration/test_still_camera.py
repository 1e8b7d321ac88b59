"""Where the camera stands still, a profile knows what is usual at each position; where it moves, it does not pretend to."""

from __future__ import annotations

import numpy as np
from kits.naming import naming
from kits.profiles import features

from edge.calibration.fit import Preset, fit_profile
from edge.calibration.fitting.corrector import RIDGES, Moments, _ridge
from edge.calibration.fitting.magnitudes import fit_magnitudes
from edge.calibration.fitting.positions import goes_by_position
from shared.codecs.calibrated.codec import Calibrated
from shared.codecs.calibrated.context_model import passes_of
from shared.codecs.calibrated.symbol_coder import SIZES

SHAPE = (8, 6, 6)
PRESET = Preset(step=1.0, groups=2, context_rank=4, corrector_rank=4)
BACKGROUND = 3 * features(SHAPE, 1, seed=50)[0]
STILL = [BACKGROUND + 0.3 * tensor for tensor in features(SHAPE, 40, seed=60)]
MOVING = features(SHAPE, 40, seed=60)


def fitted(tensors, given=None):
    return fit_profile(tensors, PRESET, fingerprint=b"profile.", split_point="layer1", given=given)


def test_a_still_camera_is_recognised_by_frames_in_the_order_of_time():
    for what, tensors, given, still in (
        ("still", STILL, None, True),
        ("moving", MOVING, None, False),
        ("still, of which the variants do not count", STILL[:30] + MOVING, 30, True),
        ("too few", STILL[:10], None, False),
        ("only variants", STILL, 0, False),
        ("one position", [tensor[:, 0, 0] for tensor in STILL], None, False),
        ("the scene changes half way", [*STILL[:20], *(tensor[:, ::-1] for tensor in STILL[20:])], None, False),
    ):  # fmt: skip
        arrays = fitted(tensors, given).arrays
        with naming(what):
            assert ("usual" in arrays) == still
            assert (arrays["channel_kind"].ndim == 3) == still
            assert (arrays["magnitude_kind"].ndim == 3) == still


def test_what_is_known_of_the_positions_saves_bytes_and_errors():
    known, unknown = (Calibrated(fitted(STILL[:32], given)) for given in (None, 0))
    sizes, errors = [], []
    for codec in (known, unknown):
        encoded = [codec.encode(tensor) for tensor in STILL[32:]]
        sizes.append(sum(len(each.payload) for each in encoded))
        errors.append(
            sum(
                float(np.square(codec.decode(*each, SHAPE) - tensor).sum())
                for each, tensor in zip(encoded, STILL[32:], strict=True)
            )
        )
    assert sizes[0] < 0.95 * sizes[1]
    assert errors[0] < 0.8 * errors[1]


def test_frames_that_are_all_zero_tell_nothing_of_positions():
    assert not goes_by_position(np.zeros((40, 4, 4, 3), np.uint8))


def test_large_neighbours_foretell_large_magnitudes():
    rng = np.random.default_rng(0)
    size = rng.integers(0, 2, (30, 3, 3, 4)).repeat(2, 1).repeat(2, 2)
    magnitudes = np.where(size, rng.integers(6, 9, size.shape), rng.integers(1, 3, size.shape)).astype(
        np.uint8
    )
    arrays = fit_magnitudes(magnitudes, passes_of(6, 6, 4, 2), 10)
    tables = arrays["magnitudes"].astype(float)
    assert tables.shape[1:] == (SIZES, 9)
    assert (tables.sum(2) == 65536).all()
    assert tables.min() >= 1
    mean = (tables * np.arange(1, 10)).sum(2) / 65536
    kind = int(np.bincount(arrays["magnitude_kind"]).argmax())
    assert mean[kind, 7] > mean[kind, 4] + 2
    assert fit_magnitudes(magnitudes, passes_of(6, 6, 4, 2), 2) == {}


def test_the_ridge_is_weak_where_much_was_seen_and_strong_where_little():
    rng = np.random.default_rng(0)
    truth = rng.normal(0, 0.3, (24, 24)).astype(np.float32)

    def moments(rows):
        decoded = rng.normal(0, 1, (rows, 24)).astype(np.float32)
        errors = decoded @ truth + rng.normal(0, 2, (rows, 24)).astype(np.float32)
        return Moments(decoded.T @ decoded, decoded.T @ errors, decoded.sum(0), errors.sum(0), rows)

    held = moments(4000)
    assert _ridge(moments(4000), held) < _ridge(moments(40), held) == max(RIDGES)
