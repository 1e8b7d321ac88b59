"""Frames that follow a known one: every level of instructions gives numpy's bytes, numpy's values and numpy's history."""

from __future__ import annotations

import numpy as np
from kits.naming import naming
from kits.native import compiled
from kits.profiles import Preset, damaged, following_profile, stream

from shared.codecs.calibrated.codec import Calibrated
from shared.errors import ContentError

SHAPES = [(8, 6, 6), (3, 5, 7), (8, 1, 7), (16,), (5, 12), (2, 3, 4, 8), (8, 1, 1), (70, 9, 9), (40, 70)]
CASES = [
    *(
        (shape, signed, following_profile(shape, signed=signed))
        for shape in SHAPES
        for signed in (False, True)
    ),
    (
        (8, 6, 6),
        False,
        following_profile(preset=Preset(step=1.5, levels=2, groups=3, context_rank=2, corrector_rank=0)),
    ),
]


def models_of(profile):
    reference = Calibrated(profile, compiled=False)._model
    return reference, {name: codec._model for name, codec in compiled(profile).items()}


def test_the_same_bytes_symbols_and_history():
    for shape, signed, profile in CASES:
        reference, levels = models_of(profile)
        for sticky in (0, 0.3):
            histories = dict.fromkeys(levels)
            history = None
            for number, tensor in enumerate(stream(shape, 6, seed=0, signed=signed)):
                expected = reference.quantise(tensor, history, sticky)
                payload = reference.encode_symbols(*expected, history)
                after = reference.remember(*expected, history)
                for name, model in levels.items():
                    with naming(name, shape, signed, sticky, number):
                        symbols = model.quantise(tensor, histories[name], sticky)
                        assert model.encode_symbols(*symbols, histories[name]) == payload
                        read = model.decode_symbols(payload, histories[name])
                        found = model.remember(*read, histories[name])
                        assert found.state == after.state == model.remember(*symbols, histories[name]).state
                        for key in ("magnitudes", "negative", "heat", "contexts", "unrest"):
                            assert np.array_equal(getattr(found, key), getattr(after, key)), key
                        assert np.array_equal(model.values(*read), reference.values(*expected))
                        histories[name] = found
                history = after


def test_numpy_reads_what_it_has_written():
    for shape, signed, profile in CASES:
        model, _ = models_of(profile)
        history = None
        for number, tensor in enumerate(stream(shape, 4, seed=3, signed=signed)):
            with naming(shape, signed, number):
                symbols = model.quantise(tensor, history)
                read = model.decode_symbols(model.encode_symbols(*symbols, history), history)
                assert np.array_equal(read[0], symbols[0])
                assert signed is (read[1] is not None)
                assert not signed or np.array_equal(read[1], symbols[1])
                history = model.remember(*read, history)


def test_damaged_payloads_are_refused_alike():
    rng = np.random.default_rng(6)
    refused = taken = 0
    for shape, signed, profile in CASES[:6]:
        reference, levels = models_of(profile)
        first, second = stream(shape, 2, signed=signed)
        history = reference.remember(*reference.quantise(first), None)
        payload = reference.encode_symbols(*reference.quantise(4 * second), history)
        for each in [payload, *damaged(payload, rng)]:
            expected = outcome(reference, each, history)
            refused, taken = refused + (expected is None), taken + (expected is not None)
            for name, model in levels.items():
                with naming(name, shape, signed, each.hex()):
                    assert outcome(model, each, history) == expected
    assert refused > 100
    assert taken > 5


def outcome(model, payload, history):
    try:
        found = model.decode_symbols(payload, history)
    except ContentError:
        return None
    return [None if each is None else each.tobytes() for each in found]
