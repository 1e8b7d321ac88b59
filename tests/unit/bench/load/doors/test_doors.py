"""`python -m bench doors` sends what the cloud reads, and compares what is alike."""

from __future__ import annotations

import numpy as np
from kits.codecs import frame_of

from bench.load.doors.options import DoorsOptions
from bench.load.doors.requests import OWN, V2, kinds, picture_sizes, sizes
from cloud.bodies.inference.request import parse_header
from cloud.bodies.inference.tensors import elements, numbers, payloads
from shared.codecs import NAMES
from shared.codecs.coding import decode_frame
from shared.wire.frame import pack, unpack

ARRAY = np.linspace(0, 4, 2048, dtype=np.float32).reshape(2, 32, 32)
FRAME = pack(frame_of(NAMES["int8+zstd"], ARRAY, split_point="layer3", fingerprint=bytes(8)))


def test_all_kinds_carry_the_same_crossing():
    expected = decode_frame(unpack(FRAME))[0]
    found = kinds("net", FRAME)
    assert [(each.door, each.beside) for each in found] == [
        (OWN, None), (V2, "int8+zstd"), (OWN, None), (V2, "float16"),
    ]  # fmt: skip
    for kind in found:
        head, _, body = kind.request.partition(b"\r\n\r\n")
        assert len(body) == kind.body
        assert f"Content-Length: {len(body)}".encode() in head.split(b"\r\n")
        if kind.door == OWN:
            array = decode_frame(unpack(body))[0]
        else:
            length = int(head.partition(b"Inference-Header-Content-Length: ")[2].split(b"\r\n")[0])
            request = parse_header(body, length)
            (payload,) = payloads(request, memoryview(body)[length:])
            (given,) = request.inputs
            array = (
                decode_frame(unpack(elements(given, payload)[0]))[0]
                if given.datatype == "BYTES"
                else numbers(given, payload)[0]
            )
        np.testing.assert_allclose(array, expected, atol=4e-3, err_msg=kind.carries)


def test_sizes_are_those_of_whole_bodies():
    found = sizes("net", FRAME, {"int8": NAMES["int8"]})
    assert [name for name, _ in found] == ["FP32", "FP16", "frame, int8"]
    assert 4 * ARRAY.size < found[0][1] < 4 * ARRAY.size + 200
    assert 2 * ARRAY.size < found[1][1] < 2 * ARRAY.size + 200
    picture = np.zeros((8, 16, 3), np.uint8)
    raw = pack(frame_of(NAMES["raw"], picture, split_point="input", fingerprint=bytes(8)))
    whole, framed = picture_sizes("net", {"raw": raw})
    assert (whole[0], framed[0]) == ("FP32", "frame, raw")
    assert whole[1] > 4 * picture.size > picture.size < framed[1] < picture.size + 300


def test_quick_is_less_of_everything():
    usual, quick = DoorsOptions.read([]), DoorsOptions.read(["--quick"])
    assert (quick.requests, quick.rounds) < (usual.requests, usual.rounds)
    assert usual.setup.threads == 1
