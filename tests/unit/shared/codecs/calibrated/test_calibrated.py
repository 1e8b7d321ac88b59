"""The codec `calibrated`: every symbol comes back, bits are as promised, and nothing hostile gets further than an error."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kits.profiles import SMALL, features, make_profile

from bench.rate.trial import PromisedBits
from edge.calibration.fit import Importance, fit_profile
from shared.codecs import decode_frame, encode_frame
from shared.codecs.calibrated.codec import Calibrated
from shared.codecs.calibrated.context_model import PREDICTIONS, Canvas, Weights, steps_of
from shared.codecs.calibrated.entropy import SCALE, Alphabet, Reader, Writer
from shared.codecs.calibrated.grid import from_grid, grid_shape, to_grid
from shared.codecs.calibrated.profile import Profile
from shared.errors import ContentError, LimitError, ProfileContentError, ProfileMissingError, WireError
from shared.limits import MAX_PROFILE_BYTES
from shared.wire import frame as wire

SHAPES = [(8, 6, 6), (3, 5, 7), (8, 1, 7), (16,), (5, 12), (2, 3, 4, 8), (1, 4, 4), (8, 1, 1)]
PROFILE = make_profile()
CODEC = Calibrated(PROFILE)


def changed(**arrays: np.ndarray | None) -> Profile:
    """PROFILE with some arrays replaced, or left out for None."""
    kept = {**PROFILE.arrays, **arrays}
    return Profile.make(
        {name: array for name, array in kept.items() if array is not None},
        fingerprint=PROFILE.fingerprint,
        split_point=PROFILE.split_point,
        shape=PROFILE.shape,
        about=PROFILE.about,
    )


@pytest.mark.parametrize("shape", SHAPES)
def test_grid_and_back(shape):
    array = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    grid = to_grid(array)
    assert grid.shape == grid_shape(shape)
    assert np.array_equal(from_grid(grid, shape), array)


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_every_symbol_comes_back(shape, signed):
    codec = Calibrated(make_profile(shape=shape, signed=signed))
    for tensor in features(shape, 4, seed=9, signed=signed):
        encoded, symbols = codec.encode_symbols(tensor)
        again = codec.coder.decode(encoded.payload)
        assert np.array_equal(again.magnitudes, symbols.magnitudes)
        assert np.array_equal(again.canvas.around, symbols.canvas.around)
        if symbols.negative is not None:
            coded = symbols.magnitudes > 0
            assert np.array_equal(again.negative[coded], symbols.negative[coded])
        decoded = codec.decode(encoded.params, encoded.payload, shape)
        assert (decoded.shape, decoded.dtype) == (shape, np.float32)
        assert signed or decoded.min() >= 0


def test_values_come_back_about_right():
    errors = []
    for tensor in features(PROFILE.shape, 8, seed=5):
        encoded = CODEC.encode(tensor)
        decoded = CODEC.decode(encoded.params, encoded.payload, tensor.shape)
        errors.append(((decoded - tensor) ** 2).mean() / (tensor**2).mean())
    assert np.mean(errors) < 0.2


def test_finer_steps_cost_more_and_err_less():
    tensors = features(PROFILE.shape, 8, seed=5)
    sizes, errors = [], []
    for step in (0.3, 1.0, 3.0):
        codec = Calibrated(make_profile(preset=dataclasses.replace(SMALL, step=step, levels=16)))
        encoded = [codec.encode(tensor) for tensor in tensors]
        decoded = [codec.decode(*part, tensor.shape) for part, tensor in zip(encoded, tensors, strict=True)]
        sizes.append(sum(len(part.payload) for part in encoded))
        errors.append(sum(((a - b) ** 2).sum() for a, b in zip(decoded, tensors, strict=True)))
    assert sizes == sorted(sizes, reverse=True)
    assert errors == sorted(errors)


@pytest.mark.parametrize(("shape", "signed"), [((64, 14, 14), False), ((96, 7, 7), True), ((2048,), True)])
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


def test_what_a_light_square_sees_is_the_same_for_encoder_and_decoder():
    """The encoder's canvas is complete, the decoder's only as far as it came."""
    magnitudes = np.random.default_rng(0).integers(0, 4, (5, 6, 8)).astype(np.uint8)
    whole, growing = Canvas.of(magnitudes), Canvas(5, 6, 8)
    flat = magnitudes.reshape(30, 8)
    for step in steps_of(5, 6, 8, 2):
        for a, b in zip(whole.before(step), growing.before(step), strict=True):
            assert np.array_equal(a, b)
        if step.light:
            assert np.array_equal(whole.beside(step), growing.beside(step))
        growing.put(step, flat[step.positions, step.first : step.last])
    assert np.array_equal(whole.around, growing.around)


def test_predictions_are_whole_numbers_that_no_order_of_adding_changes():
    canvas = Canvas.of(np.random.default_rng(1).integers(0, 3, (6, 6, 8)).astype(np.uint8))
    for step in steps_of(6, 6, 8, 2):
        weights = Weights.of(PROFILE.arrays, step)
        beside = canvas.beside(step) if step.light else None
        inputs = [*canvas.before(step), *(() if beside is None else (beside,))]
        latent = sum(
            part.astype(np.int64) @ matrix.astype(np.int64)
            for part, matrix in zip(inputs, (weights.same, weights.around, weights.beside), strict=False)
        )
        latent = np.clip(latent // 2 ** int(weights.latent_shift), -2047, 2047)
        exact = latent @ weights.up.astype(np.int64) + weights.bias.astype(np.int64)
        exact = np.clip(exact / 2.0**weights.shift, 0, PREDICTIONS - 1).astype(int)
        assert np.array_equal(weights.predict(step, canvas, beside), exact)


def test_the_same_frames_give_the_same_profile():
    assert make_profile().data == PROFILE.data
    assert make_profile(seed=1).data != PROFILE.data


def test_a_profile_reads_itself():
    again = Profile.from_bytes(PROFILE.data)
    assert (again.name, again.shape, again.split_point) == (PROFILE.name, PROFILE.shape, PROFILE.split_point)
    tensor = features(PROFILE.shape, 1)[0]
    assert Calibrated(again).encode(tensor) == CODEC.encode(tensor)


def test_a_frame_goes_over_the_wire():
    tensor = features(PROFILE.shape, 1)[0]
    frame = encode_frame(tensor, CODEC, split_point="layer1", fingerprint=b"profile.", frame_id=1)
    again = wire.unpack(wire.pack(frame))
    assert again.params == PROFILE.digest
    assert np.isfinite(CODEC.decode(again.params, again.payload, again.shape)).all()
    with pytest.raises(ProfileMissingError, match="needs its profile") as error:
        decode_frame(again)
    assert error.value.accepted == {"put": f"/profiles/{PROFILE.name}"}


def test_frames_of_another_profile_or_shape_are_refused():
    payload = CODEC.encode(features(PROFILE.shape, 1)[0]).payload
    with pytest.raises(ContentError, match="profile"):
        CODEC.decode(bytes(16), payload, PROFILE.shape)
    with pytest.raises(ContentError, match="shape"):
        CODEC.decode(PROFILE.digest, payload, (8, 6, 5))
    with pytest.raises(ContentError, match="shape"):
        CODEC.encode(np.zeros((8, 6, 5), np.float32))
    with pytest.raises(ContentError, match="none is set"):
        Calibrated().encode(np.zeros((8, 6, 6), np.float32))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_no_numbers_are_refused(value):
    tensor = features(PROFILE.shape, 1)[0].copy()
    tensor[3, 2, 1] = value
    with pytest.raises(ContentError, match="NaN or infinity"):
        CODEC.encode(tensor)


@pytest.mark.parametrize("value", [1e30, -1e30])
def test_values_out_of_all_proportion_are_clipped(value):
    tensor = np.full(PROFILE.shape, value, np.float32)
    decoded = CODEC.decode(*CODEC.encode(tensor), PROFILE.shape)
    assert np.isfinite(decoded).all()


# --- hostile bytes ------------------------------------------------------------------------------------------------


def tensor_or_content_error(payload: bytes) -> None:
    try:
        decoded = CODEC.decode(PROFILE.digest, payload, PROFILE.shape)
    except ContentError:
        return
    assert decoded.shape == PROFILE.shape
    assert np.isfinite(decoded).all()


@given(st.binary(max_size=400))
@settings(max_examples=200, deadline=None)
def test_any_bytes_give_a_tensor_or_an_error(payload):
    tensor_or_content_error(payload)


@given(st.integers(0, 7), st.integers(0, 2**16), st.integers(1, 255))
@settings(max_examples=200, deadline=None)
def test_a_damaged_payload_gives_a_tensor_or_an_error(seed, position, mask):
    payload = bytearray(CODEC.encode(features(PROFILE.shape, 1, seed=seed)[0]).payload)
    payload[position % len(payload)] ^= mask
    tensor_or_content_error(bytes(payload))


@pytest.mark.parametrize("cut", [1, 3, 4, 8])
def test_a_shorter_or_longer_payload_is_refused(cut):
    payload = CODEC.encode(features(PROFILE.shape, 1)[0]).payload
    for hostile in (payload[:-cut], payload + bytes([1] * cut)):
        with pytest.raises(WireError):
            CODEC.decode(PROFILE.digest, hostile, PROFILE.shape)
    with pytest.raises(ContentError):
        CODEC.decode(PROFILE.digest, payload + bytes(4), PROFILE.shape)


# --- hostile profiles ---------------------------------------------------------------------------------------------

NEEDED = sorted(set(PROFILE.arrays) - {"corrector_down"})


@pytest.mark.parametrize("name", NEEDED)
def test_an_array_that_is_missing_is_named(name):
    with pytest.raises(ProfileContentError, match=name.replace(".", r"\.")):
        Calibrated(changed(**{name: None}))


@pytest.mark.parametrize("name", sorted(PROFILE.arrays))
def test_an_array_of_another_dtype_or_shape_is_named(name):
    array = PROFILE.arrays[name]
    for other in (
        array.astype(np.float64 if array.dtype != np.float64 else np.int8).astype(
            "<i4" if array.dtype != np.int32 else "<i2"
        ),
        array[..., None],
    ):
        with pytest.raises(ProfileContentError, match=name.replace(".", r"\.")):
            Calibrated(changed(**{name: other}))


@pytest.mark.parametrize(
    "name", sorted(name for name, array in PROFILE.arrays.items() if array.dtype.kind == "f")
)
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_numbers_that_are_none_are_refused(name, value):
    array = PROFILE.arrays[name].copy()
    array.flat[0] = value
    with pytest.raises(ProfileContentError):
        Calibrated(changed(**{name: array}))


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("step", 0, "positive"),
        ("step", -1, "positive"),
        ("step", 1e-45, "positive"),
        ("position_scale", 0, "positive"),
        ("ladder", 0, "positive numbers that sum"),
        ("magnitudes", 7, "positive numbers that sum"),
        ("magnitude_kind", 255, "out of range"),
        ("channel_kind", 255, "out of range"),
        ("context.0.classes", 64, "out of range"),
        ("context.3.up", 32767, "too large to be exact"),
        ("context.0.bias", 2**24, "too large to be exact"),
        ("context.0.shift", 25, "above 24"),
    ],
)
def test_numbers_out_of_range_are_refused(name, value, words):
    array = np.full_like(PROFILE.arrays[name], value)
    with pytest.raises(ProfileContentError, match=words):
        Calibrated(changed(**{name: array}))


@pytest.mark.parametrize("key", ["levels", "groups", "signed", "pooled"])
@pytest.mark.parametrize("value", ["", "x", "-1", "999", "1e3", "²"])
def test_bad_strings_are_refused(key, value):
    profile = Profile.make(
        PROFILE.arrays,
        fingerprint=PROFILE.fingerprint,
        split_point="layer1",
        shape=PROFILE.shape,
        about={**PROFILE.about, key: value},
    )
    if key in ("signed", "pooled") and value == "999":  # any number but 0 says yes
        return
    with pytest.raises(ProfileContentError):
        Calibrated(profile)


def test_values_that_overflow_are_the_profiles_fault_and_one_error():
    codec = Calibrated(changed(step=np.full(8, 3e38, np.float32), offset=np.full(8, 3e38, np.float32)))
    payload = CODEC.encode(features(PROFILE.shape, 1)[0]).payload
    with pytest.raises(ContentError, match="not finite"):
        codec.decode(codec.profile.digest, payload, PROFILE.shape)


@given(st.binary(max_size=300))
@settings(max_examples=200, deadline=None)
def test_any_bytes_are_a_profile_or_one_error(data):
    with pytest.raises(ProfileContentError):
        Profile.from_bytes(data)


@given(st.integers(0, 4000), st.integers(1, 255))
@settings(max_examples=150, deadline=None)
def test_a_damaged_profile_is_usable_or_one_error(position, mask):
    data = bytearray(PROFILE.data)
    data[position] ^= mask
    try:
        codec = Calibrated(Profile.from_bytes(bytes(data)))
    except (ProfileContentError, LimitError):
        return
    try:
        codec.decode(codec.profile.digest, CODEC.encode(features(PROFILE.shape, 1)[0]).payload, PROFILE.shape)
    except ContentError:
        return


def test_a_profile_above_the_limit_is_not_read():
    with pytest.raises(LimitError):
        Profile.from_bytes(bytes(MAX_PROFILE_BYTES + 1))


# --- the coder alone ----------------------------------------------------------------------------------------------


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_the_coder_gives_back_what_was_written(data):
    count, classes = data.draw(st.integers(1, 5)), data.draw(st.integers(1, 4))
    rng = np.random.default_rng(data.draw(st.integers(0, 1000)))
    shares = rng.random((classes, 3)) + 0.01
    frequencies = np.maximum(1, np.floor(shares / shares.sum(1, keepdims=True) * (SCALE - 3))).astype(
        np.int64
    )
    frequencies[:, 0] += SCALE - frequencies.sum(1)
    alphabet, writer, parts = Alphabet(frequencies), Writer(), []
    for _ in range(count):
        size = int(rng.integers(0, 300))
        parts.append(
            (rng.integers(0, 3, size).astype(np.int32), rng.integers(0, classes, size).astype(np.uint8))
        )
        writer.add(*parts[-1], alphabet)
        writer.add_uniform(parts[-1][0] % 2, 2)
    reader = Reader(writer.finish())
    for symbols, kinds in parts:
        assert np.array_equal(reader.take(kinds, alphabet), symbols)
        assert np.array_equal(reader.take_uniform(len(symbols), 2), symbols % 2)
    reader.finish()


def test_of_a_tensor_that_the_tail_takes_the_mean_of_only_the_mean_travels():
    shape = (64, 7, 7)
    importance = Importance(np.ones(64, np.float32), np.ones((7, 7), np.float32), pooled=True)
    recipe = dataclasses.replace(SMALL, step=0.3, levels=16)
    profile = fit_profile(
        features(shape, 12), recipe, fingerprint=b"profile.", split_point="layer4", importance=importance
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
        < len(Calibrated(make_profile(shape=shape, preset=recipe)).encode(tensor).payload) / 10
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
