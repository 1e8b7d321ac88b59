"""A reader written from shared/wire/WIRE.md alone gives the arrays that the project's own codecs give."""

from __future__ import annotations

import ast
import itertools
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from kits import wire_reader, wire_video
from kits.profiles import features, following_profile, still_camera, stream

from edge.calibration.fit import Preset, fit_crossing, fit_profile
from edge.calibration.importance import Importance
from shared.codecs import encode_frame
from shared.codecs.calibrated.codec import Calibrated
from shared.codecs.calibrated.grid import grid_shape
from shared.codecs.calibrated.inter.codec import CalibratedInter
from shared.wire import frame as wire

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shared.codecs.calibrated.profile import Profile

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "tests" / "golden"
READER = ROOT / "tests" / "kits" / "wire_reader.py"
MAX_LINES = 250
PRESETS = (
    Preset(step=1.5, groups=3, context_rank=4, corrector_rank=4),
    Preset(step=0.2, levels=64, groups=1, context_rank=2, corrector_rank=0),
    Preset(step=1.0, levels=2, groups=2, context_rank=4, corrector_rank=2),
)
FIELDS: dict[str, Any] = {"fingerprint": b"profile.", "frame_id": 1, "capture_time_ns": 2, "deadline_ms": 3}


def close(name: str, actual: np.ndarray, expected: np.ndarray, about: object = "") -> None:
    """Equal but for what WIRE.md leaves open: rounding in a picture's transform and in the corrector's sums."""
    assert (actual.shape, actual.dtype) == (expected.shape, expected.dtype), name
    if name in ("jpeg", "webp"):
        assert np.abs(actual.astype(int) - expected.astype(int)).max() <= 2, name
    elif name in ("h264", "h265", "av1"):
        brightness = [each @ (0.299, 0.587, 0.114) for each in (actual, expected)]
        assert np.abs(brightness[0] - brightness[1]).max() <= 2, name
        assert np.abs(actual.astype(int) - expected.astype(int)).max() <= 20, name
    elif name == "calibrated":
        np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-5, err_msg=str(about))
    else:
        assert actual.tobytes() == expected.tobytes(), name


def test_the_reader_is_short_and_imports_nothing_of_the_project() -> None:
    text = READER.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= MAX_LINES
    imported = set()
    for node in ast.walk(
        ast.parse(
            text + READER.with_name("wire_video.py").read_text(encoding="utf-8").partition("annotations\n")[2]
        )
    ):
        if isinstance(node, ast.Import):
            imported |= {name.name.split(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            imported.add(str(node.module).split(".")[0])
    assert not imported & {"shared", "edge", "cloud", "bench", "splitdnn", "kits", "constriction"}


def test_it_reads_every_golden_frame() -> None:
    frames = sorted(GOLDEN.rglob("*.frame"))
    assert frames
    states: dict[int, dict[str, Any]] = {}
    for file in frames:
        frame = wire_reader.unpack(file.read_bytes())
        profile = file.with_suffix(".safetensors")
        if file.parent.name == "stream":
            profile = file.with_name("calibrated-inter.safetensors")
        (first, *_) = frame.tensors
        if first.codec in (68, 69, 70):
            arrays = [wire_video.keyframe(first.codec, first.params, first.payload, first.shape)]
        else:
            arrays = wire_reader.decode(frame, profile.read_bytes() if profile.exists() else b"", states)
        several = file.with_suffix(".npz")
        stored = np.load(several if several.exists() else file.with_suffix(".npy"), allow_pickle=False)
        expected = list(stored.values()) if several.exists() else [stored]
        for array, one in zip(arrays, expected, strict=True):
            close(file.stem, array, one)
        assert frame.split_point == "layer2.1.add", file
        assert frame.fingerprint == bytes.fromhex("0123456789abcdef"), file
        assert (frame.frame_id, frame.deadline) == (0xFEDCBA9876543210, 2500), file


def profiles() -> Iterator[Profile]:
    """One for each kind of tensor: of one to four dimensions, signed or not; two levels or many, with a corrector or none, pooled or not."""
    for shape in ((24,), (7, 12), (8, 5, 6), (4, 3, 2, 6)):
        rows, columns, channels = grid_shape(shape)
        ones = np.linspace(1, 3, channels, dtype=np.float32)
        positions = np.linspace(1, 2, rows * columns, dtype=np.float32).reshape(rows, columns)
        for signed, preset, importance in itertools.product(
            (False, True), PRESETS, (Importance(ones, positions), Importance(ones, positions, pooled=True))
        ):
            tensors = features(shape, signed=signed)
            yield fit_profile(
                tensors,
                preset,
                fingerprint=FIELDS["fingerprint"],
                split_point="layer1",
                importance=importance,
            )
    for shape, signed in (((8, 5, 6), False), ((3, 2, 4, 5), True)):
        profile = still_camera(shape, signed=signed)
        assert profile.about["format"] == "splitdnn-profile-3"
        assert profile.arrays["channel_kind"].ndim == profile.arrays["magnitudes"].ndim == 3
        assert "usual" in profile.arrays
        yield profile
        older = fit_crossing(
            [features(shape, signed=signed)],
            PRESETS[:1],
            fingerprint=FIELDS["fingerprint"],
            split_point="layer1",
            format_1=True,
        )
        assert older.about["format"] == "splitdnn-profile-1"
        yield older


class Recorder(wire_reader.Coder):
    """Remembers what was read."""

    def __init__(self, payload: bytes) -> None:
        super().__init__(payload)
        self.read_so_far: list[tuple[list[int], int]] = []
        recorders.append(self)

    def read(self, frequencies: list[int]) -> int:
        symbol = super().read(frequencies)
        self.read_so_far.append((frequencies, symbol))
        return symbol


recorders: list[Recorder] = []


def written(symbols: list[tuple[list[int], int]]) -> bytes:
    """The payload of these symbols, by the rules for a writer."""
    words, state = [], 0
    for frequencies, k in reversed(symbols):
        free = (1 << 24) - len(frequencies)
        start = (sum(frequencies[:k]) * free >> 16) + k
        end = (sum(frequencies[: k + 1]) * free >> 16) + k + 1
        w = (end if k + 1 < len(frequencies) else 1 << 24) - start
        if state >> 40 >= w:
            words.append(state & 0xFFFFFFFF)
            state >>= 32
        state = (state // w << 24) + start + state % w
    if state:
        words.append(state & 0xFFFFFFFF)
    if state >> 32:
        words.append(state >> 32)
    return np.array(words, "<u4").tobytes()


@pytest.mark.slow
def test_it_reads_streams_of_every_kind_of_tensor(monkeypatch: pytest.MonkeyPatch) -> None:
    """And the symbols that it reads, written by the same page, are the payload again."""
    monkeypatch.setattr(wire_reader, "Coder", Recorder)
    for shape, signed, preset in itertools.product(((24,), (8, 5, 6), (4, 3, 2, 6)), (False, True), PRESETS):
        profile = following_profile(shape, preset, signed=signed)
        sender, receiver = CalibratedInter(profile).for_stream(), CalibratedInter(profile).for_stream()
        states: dict[int, dict[str, Any]] = {}
        for tensor in stream(shape, 3, seed=7, signed=signed):
            frame = encode_frame([tensor], sender, split_point="layer1", **FIELDS)
            (actual,) = wire_reader.decode(wire_reader.unpack(wire.pack(frame)), profile.data, states)
            (sent,) = frame.tensors
            close("calibrated", actual, receiver.decode(sent.params, sent.payload, sent.shape), profile.about)
            assert written(recorders.pop().read_so_far) == bytes(sent.payload), profile.about


@pytest.mark.slow
def test_it_reads_calibrated_frames_of_every_kind_of_tensor(monkeypatch: pytest.MonkeyPatch) -> None:
    """And the symbols that it reads, written by the same page, are the payload again."""
    monkeypatch.setattr(wire_reader, "Coder", Recorder)
    for profile in profiles():
        codec = Calibrated(profile)
        tensor = features(profile.shapes[0], 1, seed=7, signed=profile.about["signed"] == "1")[0]
        frame = encode_frame([tensor], codec, split_point="layer1", **FIELDS)
        (actual,) = wire_reader.decode(wire_reader.unpack(wire.pack(frame)), profile.data)
        (sent,) = frame.tensors
        close("calibrated", actual, codec.decode(sent.params, sent.payload, sent.shape), profile.about)
        assert written(recorders.pop().read_so_far) == bytes(sent.payload), profile.about
