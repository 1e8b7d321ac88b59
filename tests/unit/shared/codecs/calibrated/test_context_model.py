"""What chooses a symbol's class: the same for encoder and decoder, exact in whole numbers; and the entropy coder."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kits.profiles import make_profile

from shared.codecs.calibrated.context_model import PREDICTIONS, Canvas, Weights, passes_of
from shared.codecs.calibrated.entropy import SCALE, Alphabet, Reader, Writer
from shared.errors import ProfileContentError


def test_what_a_light_square_sees_is_the_same_for_encoder_and_decoder():
    """The encoder's canvas is complete, the decoder's only as far as it came."""
    magnitudes = np.random.default_rng(0).integers(0, 4, (5, 6, 8)).astype(np.uint8)
    whole, growing = Canvas.of(magnitudes), Canvas(5, 6, 8)
    flat = magnitudes.reshape(30, 8)
    for step in passes_of(5, 6, 8, 2):
        for a, b in zip(whole.before(step), growing.before(step), strict=True):
            assert np.array_equal(a, b)
        if step.light:
            assert np.array_equal(whole.beside(step), growing.beside(step))
        growing.put(step, flat[step.positions, step.first : step.last])
    assert np.array_equal(whole.around, growing.around)


def test_predictions_are_whole_numbers_that_no_order_of_adding_changes():
    canvas = Canvas.of(np.random.default_rng(1).integers(0, 3, (6, 6, 8)).astype(np.uint8))
    for step in passes_of(6, 6, 8, 2):
        weights = Weights.of(make_profile().arrays, step)
        beside = canvas.beside(step) if step.light else None
        seen = canvas.seen(step, beside)
        latent = seen.astype(np.int64) @ weights.down.astype(np.int64)
        latent = np.clip(latent // 2 ** int(weights.latent_shift), -2047, 2047)
        exact = latent @ weights.up.astype(np.int64) + weights.bias.astype(np.int64)
        exact = np.clip(exact / 2.0**weights.shift, 0, PREDICTIONS - 1).astype(int)
        assert np.array_equal(weights.predict(seen), exact)


@pytest.mark.parametrize(("part", "largest"), [("same", 8191), ("around", 682), ("beside", 2047)])
def test_sums_that_a_float_would_round_are_refused_whichever_inputs_make_them(part, largest):
    """1024 inputs of up to 2, 24 or 8: with `largest` as their weights the sum is below 2^24, with one more it is not."""
    step = passes_of(4, 4, 2048, 2)[3]

    def weights_of(value):
        arrays = {name: np.zeros((1024, 1), np.int16) for name in ("same", "around", "beside")}
        arrays |= {"up": np.ones((1, 1024), np.int16), "bias": np.zeros(1024, np.int32)}
        arrays |= {"shift": np.zeros(2, np.uint8)}
        arrays[part][:] = value
        return Weights.of({f"context.3.{name}": array for name, array in arrays.items()}, step)

    assert weights_of(largest).down.max() == largest
    with pytest.raises(ProfileContentError, match="too large to be exact"):
        weights_of(largest + 1)


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
