"""Every level of instructions gives numpy's bytes, and numpy's values."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from kits.naming import naming
from kits.native import compiled
from kits.profiles import SMALL, Preset, damaged, features, make_profile, still_camera

from edge.calibration.fit import fit_crossing
from shared.codecs.calibrated import codec as codec_module
from shared.codecs.calibrated.codec import Calibrated
from shared.codecs.calibrated.corrector import Corrector
from shared.codecs.calibrated.native import memory
from shared.codecs.calibrated.native.model import MAX_CHANNELS, NativeModel
from shared.codecs.calibrated.native.reference import NumpyModel
from shared.codecs.calibrated.profile import FORMAT
from shared.errors import ContentError, WireError

SHAPES = [
    (8, 6, 6),
    (3, 5, 7),
    (8, 1, 7),
    (16,),
    (5, 12),
    (2, 3, 4, 8),
    (1, 4, 4),
    (8, 1, 1),
    (70, 9, 9),
    (40, 70),
]
CASES = [
    *(
        (shape, signed, make_profile(shape=shape, signed=signed))
        for shape in SHAPES
        for signed in (False, True)
    ),
    *(((8, 6, 6), signed, still_camera(signed=signed)) for signed in (False, True)),
    (
        (8, 6, 6),
        False,
        make_profile(preset=Preset(step=1.5, levels=2, groups=3, context_rank=2, corrector_rank=0)),
    ),
    ((150, 7, 5), False, make_profile(shape=(150, 7, 5), preset=Preset(step=0.4, groups=1, context_rank=40))),
]


def same(count: int, seed: int) -> None:
    """Compare `count` tensors of each case."""
    for shape, signed, profile in CASES:
        reference, levels = Calibrated(profile, compiled=False), compiled(profile)
        for number, tensor in enumerate(features(shape, count, seed=seed, signed=signed)):
            sent = reference.encode(tensor)
            expected = reference.decode(sent.params, sent.payload, shape)
            for name, codec in levels.items():
                with naming(name, shape, signed, number):
                    assert codec.encode(tensor) == sent
                    found = codec.decode(sent.params, sent.payload, shape)
                    assert (found.shape, found.dtype) == (shape, np.float32)
                    assert np.array_equal(found, expected)


def test_the_same_bytes_and_values() -> None:
    same(6, seed=9)


@pytest.mark.slow
def test_ten_thousand_tensors_have_the_same_bytes_and_values() -> None:
    same(10_000 // len(CASES) + 1, seed=100)


def test_a_corrector_of_values_adds_up_in_another_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """That of the first two formats; all besides it has the same bits."""
    for exact in (False, True):
        for shape in SHAPES:
            tensors = features(shape, 12)
            profile = fit_crossing(
                [tensors], [SMALL], fingerprint=b"profile.", split_point="layer1", format_1=True
            )
            assert profile.about["format"] == FORMAT
            if exact:
                monkeypatch.setattr(Corrector, "of", lambda *_: None)
            reference, levels = Calibrated(profile, compiled=False), compiled(profile)
            sent = reference.encode(tensors[0])
            expected = reference.decode(sent.params, sent.payload, shape)
            for name, codec in levels.items():
                with naming(name, shape, exact):
                    assert codec.encode(tensors[0]) == sent
                    found = codec.decode(sent.params, sent.payload, shape)
                    np.testing.assert_allclose(
                        found, expected, rtol=0 if exact else 1e-5, atol=0 if exact else 1e-5
                    )


def outcome(codec: Calibrated, payload: bytes, shape: tuple[int, ...]) -> list[float] | str:
    try:
        found: list[float] = codec.decode(codec.profile.digest, payload, shape).ravel().tolist()
    except WireError as error:
        return str(error)
    return found


def test_damaged_payloads_are_refused_alike() -> None:
    rng = np.random.default_rng(5)
    refused = taken = 0
    for shape, signed, profile in CASES[:2] + CASES[-4:]:
        reference, levels = Calibrated(profile, compiled=False), compiled(profile)
        payload = reference.encode(4 * features(shape, 1, seed=8, signed=signed)[0]).payload
        for each in damaged(payload, rng):
            expected = outcome(reference, each, shape)
            refused, taken = refused + isinstance(expected, str), taken + isinstance(expected, list)
            for name, codec in levels.items():
                with naming(name, shape, signed, each.hex()):
                    assert outcome(codec, each, shape) == expected
    assert refused > 100
    assert taken > 5


def test_values_far_from_the_profile_are_cut_off_and_strange_ones_refused() -> None:
    for shape, signed, profile in CASES[:4]:
        reference, levels = Calibrated(profile, compiled=False), compiled(profile)
        huge = np.float32(3e38) * np.sign(features(shape, 1, signed=signed)[0])
        for name, codec in levels.items():
            with naming(name, shape, signed):
                assert codec.encode(huge.astype(np.float32)) == reference.encode(huge.astype(np.float32))
                for strange in (np.nan, np.inf, -np.inf):
                    tensor = features(shape, 1, signed=signed)[0]
                    tensor.flat[-1] = strange
                    with pytest.raises(ContentError, match="NaN or infinity"):
                        codec.encode(tensor)


def test_more_channels_than_the_library_numbers_are_coded_in_numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    assert MAX_CHANNELS == 0xFFFF, "core.h numbers them in 16 bits"
    monkeypatch.setattr(codec_module, "MAX_CHANNELS", 7)
    assert isinstance(Calibrated(make_profile(shape=(8, 6, 6)))._model, NumpyModel)
    assert isinstance(Calibrated(make_profile(shape=(3, 5, 7)))._model, NativeModel)


def test_an_array_in_another_order_is_taken_as_it_reads() -> None:
    tensor = features((8, 6, 6), 1)[0]
    for codec in compiled(make_profile()).values():
        turned = np.asfortranarray(tensor)
        assert codec.encode(turned) == codec.encode(tensor)
        assert codec.encode(tensor[::-1][::-1]) == codec.encode(tensor)


def test_threads_do_not_disturb_each_other() -> None:
    codec = Calibrated(make_profile(shape=(70, 9, 9)))
    tensors = features((70, 9, 9), 8, seed=30)
    sent = [codec.encode(tensor) for tensor in tensors]
    expected = [codec.decode(each.params, each.payload, (70, 9, 9)) for each in sent]
    wrong: list[int] = []

    def work(start: int) -> None:
        for turn in range(60):
            number = (start + turn) % len(tensors)
            if codec.encode(tensors[number]) != sent[number]:
                wrong.append(number)
            if not np.array_equal(codec.decode(*sent[number], (70, 9, 9)), expected[number]):
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_little_memory_is_kept_between_frames() -> None:
    memory._spare.clear()
    codec = Calibrated(make_profile(preset=SMALL))
    for tensor in features((8, 6, 6), 5):
        codec.encode(tensor)
    assert len(memory._spare) == 1
    with memory.borrowed(10), memory.borrowed(10), memory.borrowed(10), memory.borrowed(64 << 20) as address:
        assert address % 64 == 0
    assert len(memory._spare) == 2
    assert sum(each.nbytes for each in memory._spare) < 1 << 20
