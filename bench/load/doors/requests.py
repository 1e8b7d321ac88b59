"""The requests that are compared: the same crossing in each form that a door takes, whole as HTTP has them."""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from shared.codecs import NAMES
from shared.codecs.coding import decode_frame, encode_frame
from shared.network.partition import INPUT
from shared.wire.frame import pack, unpack
from shared.wire.http import CONTENT_TYPE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from shared.codecs.base import Codec
    from shared.wire.frame import Frame

OWN, V2 = "POST /model", "/v2"
_DATATYPES = {"float32": "FP32", "float16": "FP16"}


@dataclass(frozen=True, slots=True)
class Kind:
    """One form of a request."""

    door: str
    carries: str
    """What its body is, for people."""
    body: int
    """Its bytes."""
    request: bytes
    """All of it, from the request's line on."""
    beside: str | None = None
    """The kind of the own door that it is compared with, by what that carries; None for those."""


def kinds(model: str, frame: bytes) -> list[Kind]:
    """Those whose CPU is compared: a frame by both doors, and float16 as a frame and as a tensor."""
    given = unpack(frame)
    array = decode_frame(given)[0]
    half = pack(_again(given, array, NAMES["float16"]))
    name = NAMES_BY_ID.get(given.codec_id, "frame")
    return [
        own(name, frame),
        v2(model, f"the same in BYTES of {INPUT}", *element(frame), beside=name),
        own("float16", half),
        v2(model, "FP16", *tensor(given.split_point, array, "float16"), beside="float16"),
    ]


NAMES_BY_ID = {codec.id: name for name, codec in NAMES.items()}


def sizes(model: str, frame: bytes, codecs: dict[str, Codec]) -> list[tuple[str, int]]:
    """Bytes of a request's body at `/v2`: FP32 first, FP16, then the frame of each codec in BYTES, by what they carry."""
    given = unpack(frame)
    array = decode_frame(given)[0]
    found = [
        (datatype, v2(model, datatype, *tensor(given.split_point, array, kind)).body)
        for kind, datatype in _DATATYPES.items()
    ]
    for name, codec in codecs.items():
        again = pack(_again(given, array, codec))
        found.append((f"frame, {name}", v2(model, name, *element(again)).body))
    return found


def picture_sizes(model: str, frames: Mapping[str, bytes]) -> list[tuple[str, int]]:
    """The same of frames of one picture, which is of the network's size: FP32 is its tensor."""
    height, width, channels = unpack(next(iter(frames.values()))).shape
    array = np.zeros((channels, height, width), np.float32)
    found = [("FP32", v2(model, "FP32", *tensor(INPUT, array, "float32")).body)]
    return found + [
        (f"frame, {name}", v2(model, name, *element(frame)).body) for name, frame in frames.items()
    ]


def own(carries: str, frame: bytes) -> Kind:
    """A frame by the cloud's own door."""
    head = f"POST /model HTTP/1.1\r\nHost: cloud\r\nContent-Type: {CONTENT_TYPE}\r\nContent-Length: {len(frame)}\r\n\r\n"
    return Kind(OWN, carries, len(frame), head.encode() + frame)


def v2(model: str, carries: str, given: dict[str, Any], data: bytes, *, beside: str | None = None) -> Kind:
    """One input as tritonclient sends it; all outputs come back in binary form."""
    given = given | {"parameters": {"binary_data_size": len(data)}}
    text = json.dumps({"inputs": [given], "parameters": {"binary_data_output": True}}).encode()
    head = (
        f"POST /v2/models/{model}/infer HTTP/1.1\r\nHost: cloud\r\nInference-Header-Content-Length: {len(text)}\r\n"
        f"Content-Length: {len(text) + len(data)}\r\n\r\n"
    )
    return Kind(V2, carries, len(text) + len(data), head.encode() + text + data, beside)


def element(frame: bytes) -> tuple[dict[str, Any], bytes]:
    """A frame as an input of datatype BYTES."""
    return {"name": INPUT, "shape": [1], "datatype": "BYTES"}, struct.pack("<I", len(frame)) + frame


def tensor(name: str, array: NDArray[np.float32], kind: str) -> tuple[dict[str, Any], bytes]:
    """A tensor, without the batch dimension, as an input."""
    fields = {"name": name, "shape": [1, *array.shape], "datatype": _DATATYPES[kind]}
    return fields, array.astype(np.dtype(kind)).tobytes()


def _again(frame: Frame, array: NDArray[np.float32], codec: Codec) -> Frame:
    return encode_frame(
        array,
        codec,
        split_point=frame.split_point,
        fingerprint=frame.fingerprint,
        frame_id=frame.frame_id,
    )
