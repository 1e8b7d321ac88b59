"""The compiled library is found, or one line says why not, and frames are coded in numpy."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from kits.profiles import features, make_profile

from shared.codecs.calibrated import codec as codec_module
from shared.codecs.calibrated import entropy
from shared.codecs.calibrated.codec import Calibrated
from shared.codecs.calibrated.native import library as module
from shared.codecs.calibrated.native.layout import _starts
from shared.codecs.calibrated.native.reference import NumpyModel
from shared.errors import ProfileContentError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    """`library` remembers what it found."""
    module.library.cache_clear()
    yield
    module.library.cache_clear()


def test_this_machine_has_one() -> None:
    found = module.library()
    assert found is not None
    assert [level.name for level in found.levels] in (
        ["sse4"],
        ["sse4", "avx2"],
        ["sse4", "avx2", "avx512"],
        ["sse4", "avx2", "avx512", "vnni"],
        ["neon"],
    )


def test_where_it_cannot_be_loaded_one_line_says_so_and_frames_are_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    tensor = features((8, 6, 6), 1)[0]
    expected = Calibrated(make_profile()).encode(tensor)
    module.library.cache_clear()
    monkeypatch.setattr(module, "FOLDER", tmp_path)
    for _ in range(3):
        codec = Calibrated(make_profile())
        assert isinstance(codec._model, NumpyModel)
        assert codec.encode(tensor) == expected
    (line,) = caplog.messages
    assert line.startswith("the codec calibrated runs without its compiled core, several times slower: ")
    assert str(tmp_path) in line


def test_where_there_is_no_other_coder_either_a_profile_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on ARM, for which constriction is not built."""
    monkeypatch.setattr(entropy, "stream", None)
    Calibrated(make_profile())
    monkeypatch.setattr(module, "FOLDER", tmp_path)
    module.library.cache_clear()
    with pytest.raises(ProfileContentError, match="constriction, which codes then, is not installed"):
        Calibrated(make_profile())


def test_a_library_of_other_functions_or_structures_is_refused(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It would read behind the end of a shorter structure, and write where what is there says."""

    class Shorter(ctypes.Structure):
        _fields_ = module.Model._fields_[:-5]

    class Longer(ctypes.Structure):
        _fields_ = (*module.Model._fields_, ("more", ctypes.c_void_p))

    for name, other in (("ABI", module.ABI + 1), ("Model", Shorter), ("Model", Longer), ("Pass", Shorter)):
        caplog.clear()
        module.library.cache_clear()
        with monkeypatch.context() as changed:
            changed.setattr(module, name, other)
            assert module.library() is None, (name, other)
        (line,) = caplog.messages
        assert "has the layout 0x" in line


def test_a_codec_of_several_tensors_in_numpy_is_in_numpy_throughout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codec_module, "library", lambda: pytest.fail("asked for the library"))
    assert isinstance(Calibrated(make_profile(), compiled=False)._model, NumpyModel)


def divided(symbol: Any, state: int) -> int:
    """What the encoder takes for state / weight."""
    return int((state * symbol["reciprocal"] + symbol["addend"]) >> (64 + symbol["shift"]))


def test_products_divide_every_state_exactly() -> None:
    found = module.library()
    assert found is not None
    rng = np.random.default_rng(0)
    weights = [1, 2, 3, 5, 7, 255, 256, 257, 65535, 65536, (1 << 23) - 1, 1 << 23, (1 << 24) - 4095]
    weights += np.exp(rng.uniform(0, np.log(1 << 18), 400)).astype(int).tolist()
    states = [0, 1, 2, (1 << 32) - 1, 1 << 32, (1 << 63) - 1, 1 << 63, (1 << 64) - 2, (1 << 64) - 1]
    states += [int.from_bytes(rng.bytes(8), "little") >> int(rng.integers(0, 40)) for _ in range(50)]
    layout = np.dtype(
        [
            ("reciprocal", "<u8"),
            ("addend", "<u8"),
            ("start", "<u4"),
            ("weight", "<u4"),
            ("shift", "<u4"),
            ("", "<u4"),
        ]
    )
    for weight in weights:
        out = np.zeros(1, layout)
        found.symbols(np.array([0, weight], np.uint32), 1, out)
        symbol = {name: int(out[0][name]) for name in ("reciprocal", "addend", "shift", "weight")}
        assert symbol["weight"] == weight
        near = [
            each
            for k in (1, 2, 1000, (1 << 64) // weight)
            for each in (k * weight - 1, k * weight, k * weight + 1)
        ]
        for state in states + [each for each in near if 0 <= each < 1 << 64]:
            assert divided(symbol, state) == state // weight, (weight, state)


def test_parts_of_a_table_are_those_of_the_wire_document() -> None:
    frequencies = np.array([[65536 - 17, 17], [1, 65535], [32768, 32768]])
    for row, starts in zip(frequencies.tolist(), _starts(frequencies).tolist(), strict=True):
        before = [0, row[0]]
        assert starts == [(each * ((1 << 24) - 2) >> 16) + k for k, each in enumerate(before)] + [1 << 24]
