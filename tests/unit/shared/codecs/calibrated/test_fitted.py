"""What fitting a profile achieves: bytes and errors as promised, for tensors of every kind and scale."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from kits.profiles import SMALL, features, make_profile

from bench.rate.trial import PromisedBits
from edge.calibration.fit import fit_profile
from edge.calibration.importance import Importance
from shared.codecs.calibrated.codec import Calibrated

PROFILE = make_profile()


def test_finer_steps_cost_more_and_err_less():
    tensors = features(PROFILE.shapes[0], 8, seed=5)
    sizes, errors = [], []
    for step in (0.3, 1.0, 3.0):
        codec = Calibrated(make_profile(preset=dataclasses.replace(SMALL, step=step, levels=16)))
        encoded = [codec.encode(tensor) for tensor in tensors]
        decoded = [codec.decode(*part, tensor.shape) for part, tensor in zip(encoded, tensors, strict=True)]
        sizes.append(sum(len(part.payload) for part in encoded))
        errors.append(sum(((a - b) ** 2).sum() for a, b in zip(decoded, tensors, strict=True)))
    assert sizes == sorted(sizes, reverse=True)
    assert errors == sorted(errors)


@pytest.mark.parametrize(("shape", "signed"), [((64, 14, 14), False), ((96, 7, 7), True), ((1280,), True)])
def test_a_payload_is_as_long_as_its_model_promises(shape, signed):
    """Within 3 %, for tensors of the sizes that travel; the coder's state adds at most two words."""
    codec = Calibrated(make_profile(shape=shape, signed=signed))
    promised_and_coded = PromisedBits(codec, codec.profile)
    for tensor in features(shape, 4, seed=3, signed=signed):
        promised, coded = (bits / 8 for bits in promised_and_coded(tensor))
        assert promised - 1 <= coded <= 1.03 * promised + 8


def test_contexts_save_bits():
    """Symbols in another order have the same counts, and no neighbours that tell about them."""
    codec = Calibrated(make_profile(shape=(32, 12, 12)))
    tensors = features((32, 12, 12), 6, seed=4)
    rng = np.random.default_rng(0)
    mixed = [rng.permuted(t.reshape(32, -1), axis=1).reshape(t.shape) for t in tensors]
    plain, shuffled = (sum(len(codec.encode(t).payload) for t in given) for given in (tensors, mixed))
    assert plain < 0.985 * shuffled


def test_the_same_frames_give_the_same_profile():
    assert make_profile.__wrapped__().data == PROFILE.data
    assert make_profile(seed=1).data != PROFILE.data


def test_of_a_tensor_that_the_tail_takes_the_mean_of_only_the_mean_travels():
    shape = (64, 7, 7)
    importance = Importance(np.ones(64, np.float32), np.ones((7, 7), np.float32), pooled=True)
    preset = dataclasses.replace(SMALL, step=0.3, levels=16)
    profile = fit_profile(
        features(shape, 12), preset, fingerprint=b"profile.", split_point="layer4", importance=importance
    )
    codec = Calibrated(profile)
    tensor = features(shape, 1, seed=9)[0]
    encoded = codec.encode(tensor)
    decoded = codec.decode(*encoded, shape)
    assert np.array_equal(decoded, np.broadcast_to(decoded[:, :1, :1], shape))
    wanted = tensor.mean((1, 2))
    assert ((decoded[:, 0, 0] - wanted) ** 2).mean() < 0.1 * (wanted**2).mean()
    assert (
        len(encoded.payload)
        < len(Calibrated(make_profile(shape=shape, preset=preset)).encode(tensor).payload) / 10
    )


@pytest.mark.parametrize("scale", [1e-13, 1.0, 1e6])
def test_values_of_any_size_are_fitted_alike(scale):
    tensors = [tensor * np.float32(scale) for tensor in features((8, 6, 6), 13)]
    codec = Calibrated(fit_profile(tensors[:12], SMALL, fingerprint=b"profile.", split_point="layer1"))
    decoded = codec.decode(*codec.encode(tensors[12]), (8, 6, 6))
    assert ((decoded - tensors[12]) ** 2).sum() < 0.3 * (tensors[12].astype(np.float64) ** 2).sum()


@pytest.mark.parametrize("value", [0.0, 3.0])
def test_a_tensor_that_never_changes_is_no_error(value):
    tensors = [np.full((8, 6, 6), value, np.float32)] * 12
    codec = Calibrated(fit_profile(tensors, SMALL, fingerprint=b"profile.", split_point="layer1"))
    decoded = codec.decode(*codec.encode(tensors[0]), (8, 6, 6))
    np.testing.assert_allclose(decoded, tensors[0], atol=0.05 * value)


def test_tokens_and_maps_are_fitted_alike():
    """A transformer's tokens are positions in a row: signed, without a rectifier."""
    profile = fit_profile(
        features((5, 12), 12, signed=True), SMALL, fingerprint=b"profile.", split_point="encoder"
    )
    assert profile.about["signed"] == "1"
    assert profile.arrays["position_scale"].shape == (1, 5)
