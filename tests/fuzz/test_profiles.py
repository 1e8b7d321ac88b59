"""Profiles, damaged: a codec that decodes to valid arrays or refuses, or an error that says what is wrong."""

from __future__ import annotations

import json
import struct
from typing import TYPE_CHECKING, Any

import numpy as np
from kits.common import ROOT
from kits.fuzz.campaign import try_out
from kits.fuzz.mutations import bent, damaged

from shared.codecs.calibrated.codec import Calibrated
from shared.codecs.calibrated.profile import Profile
from shared.errors import LimitError, ProfileContentError, WireError
from shared.limits import MAX_ELEMENTS

if TYPE_CHECKING:
    import random

GOLDEN = ROOT / "tests" / "golden"
FILES = [path.read_bytes() for path in sorted(GOLDEN.rglob("calibrated.safetensors"))]
_LENGTH = struct.Struct("<Q")
_MOST_WORK = 1 << 20
"""Elements of a tensor that a damaged profile is tried out on: the time goes to many profiles, not to one."""


def parts_of(data: bytes) -> tuple[Any, bytes]:
    """The header of a safetensors file, and what follows it."""
    (size,) = _LENGTH.unpack_from(data)
    start = _LENGTH.size + size
    return json.loads(data[_LENGTH.size : start]), data[start:]


def file_of(header: Any, rest: bytes) -> bytes:
    text = json.dumps(header).encode()
    return _LENGTH.pack(len(text)) + text + rest


def damaged_file(chance: random.Random) -> bytes:
    """A file whose header means something else, or whose arrays do; or one damaged anywhere."""
    data = chance.choice(FILES)
    header, rest = parts_of(data)
    match chance.randrange(5):
        case 0:
            return damaged(chance, data, FILES)
        case 1:
            return file_of(bent(chance, header), rest)
        case 2:
            return file_of({**header, "__metadata__": bent(chance, header["__metadata__"])}, rest)
        case _:
            name = chance.choice([name for name in header if name != "__metadata__"])
            start, stop = header[name]["data_offsets"]
            return file_of(
                header, rest[:start] + resized(damaged(chance, rest[start:stop]), stop - start) + rest[stop:]
            )


def resized(data: bytes, size: int) -> bytes:
    return data[:size] + bytes(size - len(data[:size]))


def use(data: bytes) -> object:
    """Build the codec as the cloud does, and decode something with it."""
    try:
        profile = Profile.from_bytes(data)
        assert Profile.from_bytes(profile.data).name == profile.name
        codec = Calibrated(profile)
    except (LimitError, ProfileContentError):
        return None
    for number, shape in enumerate(profile.shapes):
        size = int(np.prod(shape, dtype=np.int64))
        assert size <= MAX_ELEMENTS
        if size > _MOST_WORK:
            continue
        one = codec.of_tensor(number)
        for payload in (b"", bytes(64), data[-4 * 512 :]):
            try:
                array = one.decode(profile.digest, payload, shape)
            except WireError:
                continue
            assert (array.shape, array.dtype) == (shape, np.float32)
            assert np.isfinite(array).all()
    return codec


def test_profiles():
    assert len(FILES) == 2
    assert try_out("profiles", 3_000, damaged_file, use, seconds=8) > 0.01
