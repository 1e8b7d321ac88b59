"""What a profile is fitted by: presets for each kind of tensor, importance of channels and positions, more pictures."""

from __future__ import annotations

import numpy as np
from kits.profiles import SMALL, features

from edge.calibration.fit import (
    POOLED_STEPS,
    SIGNED_STEPS,
    STEPS,
    Importance,
    fit_profile,
    measure_importance,
    presets,
    variants,
)


def test_the_presets_go_by_the_kind_of_tensor():
    def steps(shape, **kind):
        return [preset.step for preset in presets(shape, **kind)]

    assert steps((8, 6, 6), signed=False, pooled=False) == list(STEPS)
    assert steps((8, 6, 6), signed=True, pooled=False) == list(SIGNED_STEPS)
    for shape, signed, pooled in (((16,), False, False), ((16,), True, False), ((8, 6, 6), False, True)):
        assert steps(shape, signed=signed, pooled=pooled) == list(POOLED_STEPS)
    assert {preset.levels for preset in presets((5, 12), signed=True, pooled=False)} == {32}


def test_channels_and_positions_that_matter_get_finer_steps():
    tensors = features((8, 6, 6), 12)
    channels, positions = np.ones(8, np.float32), np.ones((6, 6), np.float32)
    channels[2], positions[3, 4] = 100.0, 100.0
    profile = fit_profile(
        tensors,
        SMALL,
        fingerprint=b"profile.",
        split_point="layer1",
        importance=Importance(channels, positions),
    )
    assert profile.arrays["step"].argmin() == 2
    assert profile.arrays["position_scale"].argmin() == 3 * 6 + 4


def test_importance_is_where_the_tail_looks(tiny_network):
    network = tiny_network
    tensors = [np.abs(tensor) for tensor in features(network.point.shape, 8)]
    importance = measure_importance(network.partition, network.point, tensors)
    assert importance.channels.shape == (network.point.shape[0],)
    assert importance.positions.shape == network.point.shape[1:]
    assert importance.channels.min() >= 0
    assert importance.channels.max() > 0


def test_a_tail_that_begins_with_a_mean_is_recognised(tiny_network):
    partition = tiny_network.partition
    for name, pooled in (("classifier.2", True), ("features", False)):
        point = partition.point(name)
        tensors = [np.abs(tensor) for tensor in features(point.shape, 4)]
        assert measure_importance(partition, point, tensors).pooled is pooled, name


def test_variants_are_pictures_of_the_same_size_and_always_the_same():
    pictures = [np.random.default_rng(i).integers(0, 255, (32, 32, 3)).astype(np.uint8) for i in range(3)]
    first, again = variants(pictures, 7), variants(pictures, 7)
    assert len(first) == 7
    assert all(
        a.shape == (32, 32, 3) and a.dtype == np.uint8 and np.array_equal(a, b)
        for a, b in zip(first, again, strict=True)
    )
    assert not np.array_equal(first[0], first[3])
    assert variants(pictures, 0) == []
