"""Frames of both versions, damaged: valid arrays or a refusal (WIRE.md, rule 7), and what is read is what was sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from kits.codecs import VIDEO_CODECS, changed, with_right_crc
from kits.common import ROOT
from kits.fuzz.campaign import try_out
from kits.fuzz.mutations import damaged
from kits.reading import assert_valid_or_refused

from shared.codecs.calibrated.codec import Calibrated
from shared.codecs.calibrated.profile import Profile
from shared.codecs.coding import codecs_of, decode_tensors
from shared.errors import WireError
from shared.wire import frame as wire

if TYPE_CHECKING:
    import random

GOLDEN = ROOT / "tests" / "golden"
SEEDS = {f"{path.parent.name}/{path.stem}": path.read_bytes() for path in sorted(GOLDEN.rglob("*.frame"))}
FRAMES = list(SEEDS.values())
APART = {Calibrated.id, *(codec.id for codec in VIDEO_CODECS)}


def reached_by(data: bytes) -> object:
    """Whether a reader took the bytes, and gives the same bytes for what it read."""
    try:
        frame = wire.unpack(data)
    except WireError:
        return None
    assert wire.pack(frame) == data, "two senders could mean the same frame by other bytes"
    return frame


def test_there_is_a_seed_of_every_codec_and_version():
    assert len(SEEDS) > 15
    assert {data[4] for data in FRAMES} == set(wire.VERSIONS)


def test_headers_and_tables():
    def make(chance: random.Random) -> bytes:
        data = damaged(chance, chance.choice(FRAMES), FRAMES)
        return with_right_crc(data) if chance.random() < 0.7 else data

    assert try_out("headers", 240_000, make, reached_by, seconds=12) > 0.01, (
        "some pass, so more than the CRC is tried"
    )


def test_sections_of_frames_that_are_whole():
    """Parameters and payloads are damaged and their lengths made right, so that it is the codecs that have to cope.

    Videos are decoded in a process of their own: test_videos.py.
    """
    frames = [frame for frame in map(wire.unpack, FRAMES) if frame.tensors[0].codec_id not in APART]

    def make(chance: random.Random) -> bytes:
        frame = chance.choice(frames)
        number = chance.randrange(len(frame.tensors))
        tensor = frame.tensors[number]
        changes = {"payload": damaged(chance, bytes(tensor.payload), FRAMES)}
        if chance.random() < 0.3:
            changes = {"params": damaged(chance, tensor.params)}
        if chance.random() < 0.1:
            changes["codec_id"] = chance.choice(frames).tensors[0].codec_id
        try:
            return wire.pack(changed(frame, number, **changes))
        except WireError:
            return b""

    assert try_out("sections", 50_000, make, assert_valid_or_refused, seconds=8) > 0.01


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_payloads_of_a_fitted_profile(version):
    codec = Calibrated(Profile.from_bytes((GOLDEN / version / "calibrated.safetensors").read_bytes()))
    frame = wire.unpack(SEEDS[f"{version}/calibrated"])
    payloads = [bytes(tensor.payload) for tensor in frame.tensors]

    def make(chance: random.Random) -> bytes:
        number = chance.randrange(len(payloads))
        return bytes([number]) + damaged(chance, payloads[number], FRAMES)

    def check(data: bytes) -> object:
        damaged_frame = changed(frame, data[0], payload=data[1:])
        codecs = [codec.of_tensor(number) for number in range(len(codecs_of(frame)))]
        try:
            arrays = decode_tensors(damaged_frame, codecs)
        except WireError:
            return None
        for array, tensor in zip(arrays, frame.tensors, strict=True):
            assert (array.shape, array.dtype) == (tensor.shape, np.float32)
            assert np.isfinite(array).all()
        return arrays

    assert try_out(f"calibrated {version}", 5_000, make, check, seconds=3) > 0
