"""Old bytes decode to the old arrays, for ever: `tests/golden/v1/` holds one frame and one array per codec.

`python tests/contract/test_golden.py` writes the files of a new codec and no others; a file that exists is never
written again. If a test here fails, the code has broken the wire format: mend the code, not the file.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "tests" / "golden" / "v1"

if __name__ == "__main__":
    sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

import pytest  # noqa: E402
from kits.golden import FIELDS  # noqa: E402

from shared.codecs import CODECS, NAMES, Codec, decode_frame, encode_frame  # noqa: E402
from shared.codecs.calibrated.codec import Calibrated  # noqa: E402
from shared.codecs.calibrated.profile import Profile  # noqa: E402
from shared.codecs.symbols import at_point  # noqa: E402
from shared.network.grid import Grid  # noqa: E402
from shared.network.partition import SplitPoint  # noqa: E402
from shared.wire import frame as wire  # noqa: E402

CALIBRATED = {"calibrated": 1e-5, "calibrated-3": 0}
"""Frames whose profile is kept beside them, of the first format and of the third, and how far a value may be off: the sums of the first
format's corrector may differ in their last bits between processors."""
ALONE = [codec for codec in CODECS.values() if not isinstance(codec, Calibrated)]
every_codec = pytest.mark.parametrize("codec", ALONE, ids=lambda codec: codec.name)


def write_missing() -> list[Path]:
    """Write the golden frame and array of every codec that has none; the files written."""
    written = []
    for codec in ALONE:
        frame_file, array_file = _files(codec)
        if frame_file.exists() or array_file.exists():
            continue
        frame = encode_frame([_subject(codec)], _ready(codec), **FIELDS)
        frame_file.write_bytes(wire.pack(frame))
        np.save(array_file, *decode_frame(frame))
        written += [frame_file, array_file]
    return written


def _files(codec: Codec) -> tuple[Path, Path]:
    return GOLDEN / f"{codec.name}.frame", GOLDEN / f"{codec.name}.npy"


def _subject(codec: Codec) -> np.ndarray:
    """A small tensor with signs, zeros of both kinds and numbers that are denormal as float16; or a small smooth picture."""
    if codec.carries == "picture":
        rows, columns = np.mgrid[0:8, 0:8]
        return np.stack([30 * rows, 20 * columns + 60, 250 - 10 * (rows + columns)], axis=-1).astype(np.uint8)
    values = np.arange(60, dtype=np.float32).reshape(4, 3, 5)
    tensor = (values - 20) * np.float32(1.37) + np.float32(0.01) * values * values
    tensor[0, 0] = [0.0, -0.0, 1e-7, -1e-7, 100.0]
    tensor[1] = 0.0
    return tensor


def _ready(codec: Codec) -> Codec:
    """The codec, told the grid of what it carries if it needs one."""
    point = SplitPoint("layer2.1.add", ((4, 3, 5),), 1, 1, (Grid(0.3125, 90),))
    return at_point(codec, point) if codec.carries == "symbols" else codec


@every_codec
def test_every_codec_has_golden_files(codec: Codec) -> None:
    assert all(file.is_file() for file in _files(codec)), "python tests/contract/test_golden.py writes them"


def test_every_golden_file_belongs_to_a_codec() -> None:
    assert {file.name for file in GOLDEN.iterdir()} == {
        *(f"{name}.{kind}" for name in CALIBRATED for kind in ("frame", "npy", "safetensors")),
        *(file.name for codec in ALONE for file in _files(codec)),
    }


@every_codec
def test_old_bytes_decode_to_the_old_array(codec: Codec) -> None:
    frame_file, array_file = _files(codec)
    expected = np.load(array_file, allow_pickle=False)
    (actual,) = decode_frame(wire.unpack(frame_file.read_bytes()))
    assert (actual.shape, actual.dtype) == (expected.shape, expected.dtype)
    if (
        codec.name in ("jpeg", "webp") or codec.inter
    ):  # readers may round an inverse cosine transform, or colours, differently
        assert np.abs(actual.astype(int) - expected.astype(int)).max() <= 2
    else:
        assert actual.tobytes() == expected.tobytes()


@every_codec
def test_the_old_header_says_what_it_said(codec: Codec) -> None:
    frame = wire.unpack(_files(codec)[0].read_bytes())
    (sent,) = frame.tensors
    assert sent.codec_id == codec.id
    assert sent.shape == ((8, 8, 3) if codec.carries == "picture" else (4, 3, 5))
    assert {name: getattr(frame, name) for name in FIELDS} == FIELDS


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("name", CALIBRATED)
def test_an_old_profile_decodes_an_old_frame(name: str, compiled: bool) -> None:
    profile = Profile.from_bytes((GOLDEN / f"{name}.safetensors").read_bytes())
    assert profile.about["format"] == f"splitdnn-profile-{name.removeprefix('calibrated').strip('-') or 1}"
    codec = Calibrated(profile, compiled=compiled)
    frame = wire.unpack((GOLDEN / f"{name}.frame").read_bytes())
    (sent,) = frame.tensors
    assert (sent.codec_id, sent.params, (sent.shape,)) == (16, profile.digest, profile.shapes)
    symbols = codec.in_numpy.coder.decode(sent.payload)
    assert codec.in_numpy.coder.encode(symbols) == sent.payload
    found, off = codec.decode(sent.params, sent.payload, sent.shape), CALIBRATED[name]
    np.testing.assert_allclose(found, np.load(GOLDEN / f"{name}.npy"), rtol=off, atol=off)


@pytest.mark.parametrize("name", ["float32", "float16", "int8", "uint8", "raw"])
def test_today_the_same_array_gives_the_same_bytes(name: str) -> None:
    """Compressors may improve; a plain layout may not change."""
    codec = NAMES[name]
    assert (
        wire.pack(encode_frame([_subject(codec)], _ready(codec), **FIELDS)) == _files(codec)[0].read_bytes()
    )


def test_a_golden_file_is_never_written_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules[__name__], "GOLDEN", tmp_path)
    assert len(write_missing()) == 2 * len(ALONE)
    (tmp_path / "int8.frame").write_bytes(b"old")
    (tmp_path / "raw.npy").unlink()
    (tmp_path / "png.frame").unlink()
    (tmp_path / "png.npy").unlink()
    assert {file.name for file in write_missing()} == {"png.frame", "png.npy"}
    assert (tmp_path / "int8.frame").read_bytes() == b"old"


if __name__ == "__main__":
    for file in write_missing():
        print(file.relative_to(ROOT))
