"""The codec `calibrated`: every symbol comes back, and what is not its profile's is refused."""

from __future__ import annotations

import numpy as np
import pytest
from kits.naming import naming
from kits.profiles import features, make_profile

from shared.codecs import decode_frame, encode_frame
from shared.codecs.calibrated.codec import Calibrated
from shared.codecs.calibrated.grid import from_grid, grid_shape, to_grid
from shared.codecs.calibrated.profile import Profile
from shared.errors import ContentError, ProfileMissingError
from shared.wire import frame as wire

SHAPES = [(8, 6, 6), (3, 5, 7), (8, 1, 7), (16,), (5, 12), (2, 3, 4, 8), (1, 4, 4), (8, 1, 1)]
PROFILE = make_profile()
CODEC = Calibrated(PROFILE)


def test_grid_and_back():
    for shape in SHAPES:
        array = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
        grid = to_grid(array)
        assert grid.shape == grid_shape(shape)
        assert np.array_equal(from_grid(grid, shape), array), shape


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_every_symbol_comes_back(shape, signed):
    codec = Calibrated(make_profile(shape=shape, signed=signed))
    for tensor in features(shape, 4, seed=9, signed=signed):
        encoded, symbols = codec.encode_symbols(tensor)
        again = codec.in_numpy.coder.decode(encoded.payload)
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
    for tensor in features(PROFILE.shapes[0], 8, seed=5):
        encoded = CODEC.encode(tensor)
        decoded = CODEC.decode(encoded.params, encoded.payload, tensor.shape)
        errors.append(((decoded - tensor) ** 2).mean() / (tensor**2).mean())
    assert np.mean(errors) < 0.2


def test_a_profile_reads_itself():
    again = Profile.from_bytes(PROFILE.data)
    assert (again.name, again.shapes, again.split_point) == (
        PROFILE.name,
        PROFILE.shapes,
        PROFILE.split_point,
    )
    tensor = features(PROFILE.shapes[0], 1)[0]
    assert Calibrated(again).encode(tensor) == CODEC.encode(tensor)


def test_a_frame_goes_over_the_wire():
    tensor = features(PROFILE.shapes[0], 1)[0]
    frame = encode_frame([tensor], CODEC, split_point="layer1", fingerprint=b"profile.", frame_id=1)
    again = wire.unpack(wire.pack(frame))
    (sent,) = again.tensors
    assert sent.params == PROFILE.digest
    assert np.isfinite(CODEC.decode(sent.params, sent.payload, sent.shape)).all()
    with pytest.raises(ProfileMissingError, match="needs its profile") as error:
        decode_frame(again)
    assert error.value.accepted == {"put": f"/profiles/{PROFILE.name}"}


def test_frames_of_another_profile_or_shape_are_refused():
    payload = CODEC.encode(features(PROFILE.shapes[0], 1)[0]).payload
    with pytest.raises(ContentError, match="profile"):
        CODEC.decode(bytes(16), payload, PROFILE.shapes[0])
    with pytest.raises(ContentError, match="shape"):
        CODEC.decode(PROFILE.digest, payload, (8, 6, 5))
    with pytest.raises(ContentError, match="shape"):
        CODEC.encode(np.zeros((8, 6, 5), np.float32))
    with pytest.raises(ContentError, match="none is set"):
        Calibrated().encode(np.zeros((8, 6, 6), np.float32))


def test_values_that_are_no_numbers_are_refused():
    for value in (np.nan, np.inf, -np.inf):
        tensor = features(PROFILE.shapes[0], 1)[0].copy()
        tensor[3, 2, 1] = value
        with naming(value), pytest.raises(ContentError, match="NaN or infinity"):
            CODEC.encode(tensor)


@pytest.mark.parametrize("value", [1e30, -1e30])
def test_values_out_of_all_proportion_are_clipped(value):
    tensor = np.full(PROFILE.shapes[0], value, np.float32)
    decoded = CODEC.decode(*CODEC.encode(tensor), PROFILE.shapes[0])
    assert np.isfinite(decoded).all()
