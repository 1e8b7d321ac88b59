"""Old bytes of several tensors decode to the old arrays, for ever: `tests/golden/v2/`, as test_golden.py has it for one tensor.

`python tests/contract/test_golden_several.py` writes the files of a new codec and no others; a file that exists is never
written again. `mixed` has a codec for each tensor; `calibrated` is kept with its profile, and was made by hand.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "tests" / "golden" / "v2"

if __name__ == "__main__":
    sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

import pytest  # noqa: E402
from kits.golden import FIELDS  # noqa: E402

from shared.codecs import CODECS, decode_frame, encode_frame  # noqa: E402
from shared.codecs.calibrated.codec import Calibrated  # noqa: E402
from shared.codecs.calibrated.profile import Profile  # noqa: E402
from shared.wire import frame as wire  # noqa: E402

SHAPES = ((4, 3, 5), (2, 2, 2, 3), (7,))
CALIBRATED = ("calibrated.frame", "calibrated.npz", "calibrated.safetensors")
ALONE = {
    codec.name: codec
    for codec in CODECS.values()
    if codec.carries == "tensor" and not isinstance(codec, Calibrated)
}
NAMES = [*ALONE, "mixed"]


def write_missing() -> list[Path]:
    """Write the golden frame and arrays of every codec that has none; the files written."""
    written = []
    for name in NAMES:
        frame_file, arrays_file = _files(name)
        if frame_file.exists() or arrays_file.exists():
            continue
        frame = _frame(name)
        frame_file.write_bytes(wire.pack(frame))
        np.savez(arrays_file, *decode_frame(frame))
        written += [frame_file, arrays_file]
    return written


def _files(name: str) -> tuple[Path, Path]:
    return GOLDEN / f"{name}.frame", GOLDEN / f"{name}.npz"


def _frame(name: str) -> wire.Frame:
    crossing = [_tensor(shape) for shape in SHAPES]
    if name != "mixed":
        return encode_frame(crossing, ALONE[name], **FIELDS)
    parts = [
        encode_frame([array], ALONE[codec], **FIELDS).tensors[0]
        for codec, array in zip(("float32", "int8+zstd", "float16"), crossing, strict=True)
    ]
    return wire.Frame(**FIELDS, tensors=tuple(parts))


def _tensor(shape: tuple[int, ...]) -> np.ndarray:
    """Signs, zeros of both kinds and numbers that are denormal as float16."""
    values = np.arange(np.prod(shape), dtype=np.float32)
    tensor = (values - 20) * np.float32(1.37) + np.float32(0.01) * values * values
    tensor[:5] = [0.0, -0.0, 1e-7, -1e-7, 100.0]
    return tensor.reshape(shape)


def _stored(file: Path) -> list[np.ndarray]:
    with np.load(file, allow_pickle=False) as arrays:
        return [arrays[name] for name in sorted(arrays)]


def test_every_codec_has_golden_files_and_every_file_a_codec() -> None:
    """python tests/contract/test_golden_several.py writes them."""
    expected = {*CALIBRATED, *(file.name for name in NAMES for file in _files(name))}
    assert {file.name for file in GOLDEN.iterdir()} == expected


@pytest.mark.parametrize("name", NAMES)
def test_old_bytes_decode_to_the_old_arrays(name: str) -> None:
    frame_file, arrays_file = _files(name)
    frame = wire.unpack(frame_file.read_bytes())
    for actual, expected in zip(decode_frame(frame), _stored(arrays_file), strict=True):
        assert (actual.shape, actual.dtype) == (expected.shape, expected.dtype)
        assert actual.tobytes() == expected.tobytes()
    assert frame_file.read_bytes()[4] == 2
    assert tuple(sent.shape for sent in frame.tensors) == SHAPES
    assert {field: getattr(frame, field) for field in FIELDS} == FIELDS
    if name != "mixed":
        assert {sent.codec_id for sent in frame.tensors} == {ALONE[name].id}


def test_an_old_profile_of_several_decodes_an_old_frame() -> None:
    frame_file, arrays_file, profile_file = (GOLDEN / name for name in CALIBRATED)
    codec = Calibrated(Profile.from_bytes(profile_file.read_bytes()))
    frame = wire.unpack(frame_file.read_bytes())
    assert [sent.codec_id for sent in frame.tensors] == [16, 16]
    assert [sent.params for sent in frame.tensors] == [codec.profile.digest, b""]
    assert tuple(sent.shape for sent in frame.tensors) == codec.profile.shapes == ((8, 6, 6), (24,))
    for number, (sent, expected) in enumerate(zip(frame.tensors, _stored(arrays_file), strict=True)):
        part = codec.of_tensor(number)
        assert isinstance(part, Calibrated)
        assert part.in_numpy.coder.encode(part.in_numpy.coder.decode(sent.payload)) == sent.payload
        # Symbols are whole numbers; the corrector's sums may differ in their last bits between processors.
        actual = part.decode(sent.params, sent.payload, sent.shape)
        np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", ["float32", "float16", "int8"])
def test_today_the_same_arrays_give_the_same_bytes(name: str) -> None:
    """Compressors may improve; a plain layout may not change."""
    assert wire.pack(_frame(name)) == _files(name)[0].read_bytes()


def test_a_golden_file_is_never_written_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules[__name__], "GOLDEN", tmp_path)
    assert len(write_missing()) == 2 * len(NAMES)
    (tmp_path / "int8.frame").write_bytes(b"old")
    (tmp_path / "mixed.npz").unlink()
    assert write_missing() == []
    assert (tmp_path / "int8.frame").read_bytes() == b"old"


if __name__ == "__main__":
    GOLDEN.mkdir(exist_ok=True)
    for file in write_missing():
        print(file.relative_to(ROOT))
