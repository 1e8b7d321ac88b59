"""Old frames of a stream decode to the old arrays, for ever: `tests/golden/stream/`, a keyframe and two that follow it.

`python tests/contract/test_golden_stream.py` writes the files where there are none; a file that exists is never written again. If a
test here fails, the code has broken the wire format: mend the code, not the file.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "tests" / "golden" / "stream"

if __name__ == "__main__":
    sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

import pytest  # noqa: E402
from kits.golden import FIELDS  # noqa: E402
from kits.profiles import SMALL, stream  # noqa: E402

from edge.calibration.fit import fit_crossing  # noqa: E402
from shared.codecs import encode_frame  # noqa: E402
from shared.codecs.calibrated.inter.codec import CalibratedInter  # noqa: E402
from shared.codecs.calibrated.profile import Profile  # noqa: E402
from shared.codecs.coding import decode_tensors  # noqa: E402
from shared.errors import StateMissingError  # noqa: E402
from shared.wire import frame as wire  # noqa: E402

SHAPES = ((8, 6, 6), (24,))
FRAMES = 3
PROFILE = GOLDEN / "calibrated-inter.safetensors"


def write_missing() -> list[Path]:
    """Write all files, unless there is one; the files written."""
    if any(GOLDEN.iterdir()):
        return []
    runs = [[_tensors(shape, seed) for seed in (0, 20)] for shape in SHAPES]
    profile = fit_crossing(
        [[tensor for run in each for tensor in run] for each in runs],
        [SMALL, SMALL],
        fingerprint=FIELDS["fingerprint"],  # type: ignore[arg-type]
        split_point="layer2.1.add",
        runs=runs,
    )
    PROFILE.write_bytes(profile.data)
    sender, receiver = CalibratedInter(profile).for_stream(), CalibratedInter(profile).for_stream()
    for number, crossing in enumerate(zip(*(_tensors(shape, 0) for shape in SHAPES), strict=True)):
        if number == FRAMES:
            break
        frame = encode_frame(list(crossing), sender, **FIELDS)  # type: ignore[arg-type]
        (GOLDEN / f"{number}.frame").write_bytes(wire.pack(frame))
        np.savez(GOLDEN / f"{number}.npz", *_decoded(receiver, frame))
    return sorted(GOLDEN.iterdir())


def _tensors(shape: tuple[int, ...], seed: int) -> list[np.ndarray]:
    return stream(shape, seed=seed, signed=len(shape) == 1)


def _decoded(receiver: CalibratedInter, frame: wire.Frame) -> tuple[np.ndarray, ...]:
    return decode_tensors(frame, [receiver.of_tensor(number) for number in range(len(SHAPES))])


def _frame(number: int) -> wire.Frame:
    return wire.unpack((GOLDEN / f"{number}.frame").read_bytes())


@pytest.mark.parametrize("compiled", [False, True])
def test_old_frames_decode_to_the_old_arrays_in_their_order(compiled: bool) -> None:
    codec = CalibratedInter(Profile.from_bytes(PROFILE.read_bytes()), compiled=compiled)
    receiver = codec.for_stream()
    for number in range(FRAMES):
        frame = _frame(number)
        assert {field: getattr(frame, field) for field in FIELDS} == FIELDS
        assert [tensor.codec_id for tensor in frame.tensors] == [17, 17]
        assert [len(tensor.params) for tensor in frame.tensors] == [20, 4]
        assert [bool(codec.needs(tensor.params)) for tensor in frame.tensors] == [number > 0] * 2
        with np.load(GOLDEN / f"{number}.npz", allow_pickle=False) as stored:
            for array, expected in zip(_decoded(receiver, frame), stored.values(), strict=True):
                assert (array.shape, array.dtype) == (expected.shape, expected.dtype)
                assert array.tobytes() == expected.tobytes()


@pytest.mark.parametrize("compiled", [False, True])
def test_today_the_same_arrays_give_the_same_bytes(compiled: bool) -> None:
    sender = CalibratedInter(Profile.from_bytes(PROFILE.read_bytes()), compiled=compiled).for_stream()
    for number, crossing in enumerate(zip(*(_tensors(shape, 0)[:FRAMES] for shape in SHAPES), strict=True)):
        sent = encode_frame(list(crossing), sender, **FIELDS)  # type: ignore[arg-type]
        assert wire.pack(sent) == (GOLDEN / f"{number}.frame").read_bytes()


def test_without_the_one_before_a_frame_is_refused() -> None:
    codec = CalibratedInter(Profile.from_bytes(PROFILE.read_bytes()))
    for receiver in (codec, codec.for_stream()):
        with pytest.raises(StateMissingError):
            _decoded(receiver, _frame(2))


def test_golden_files_are_never_written_twice() -> None:
    assert {file.name for file in GOLDEN.iterdir()} == {
        PROFILE.name,
        *(f"{number}.{kind}" for number in range(FRAMES) for kind in ("frame", "npz")),
    }
    assert write_missing() == []


if __name__ == "__main__":
    GOLDEN.mkdir(exist_ok=True)
    for file in write_missing():
        print(file.relative_to(ROOT))
