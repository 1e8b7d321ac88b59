"""Requests of the Open Inference Protocol as bytes, and what comes back: for tests of what no stock client would send, too."""

from __future__ import annotations

import json
import math
import struct
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kits.cloud import Response, Server

HEADER = "Inference-Header-Content-Length"
DATATYPES = {"float32": "FP32", "float16": "FP16", "uint8": "UINT8"}


def tensor(name: str, array: np.ndarray, **changes: Any) -> tuple[dict[str, Any], bytes]:
    """An input and its bytes."""
    data = array.tobytes()
    fields = {"name": name, "shape": list(array.shape), "datatype": DATATYPES[array.dtype.name]}
    return fields | {"parameters": {"binary_data_size": len(data)}} | changes, data


def texts(*elements: bytes, name: str = "input") -> tuple[dict[str, Any], bytes]:
    """An input of datatype BYTES."""
    data = b"".join(struct.pack("<I", len(each)) + each for each in elements)
    parameters = {"binary_data_size": len(data)}
    return {"name": name, "shape": [len(elements)], "datatype": "BYTES", "parameters": parameters}, data


def body(*inputs: tuple[dict[str, Any], bytes], **fields: Any) -> tuple[bytes, dict[str, str]]:
    """A request in binary form and its header fields; outputs come in binary form too, unless `fields` say otherwise."""
    request = {"inputs": [each for each, _ in inputs], "parameters": {"binary_data_output": True}} | fields
    text = json.dumps(request).encode()
    return text + b"".join(data for _, data in inputs), {HEADER: str(len(text))}


def asked(*names: str, **parameters: Any) -> list[dict[str, Any]]:
    """Outputs that a request asks for, all with these parameters."""
    return [{"name": name, "parameters": parameters} for name in names]


def infer(server: Server, *inputs: tuple[dict[str, Any], bytes], path: str = "", **fields: Any) -> Response:
    """One request to the server's network."""
    data, headers = body(*inputs, **fields)
    return server.ask("POST", path or path_of(server), data, **headers)


def path_of(server: Server, what: str = "/infer") -> str:
    return f"/v2/models/{server.service.network.model.name}{what}"


def outputs(response: Response) -> dict[str, Any]:
    """What a response gives: an array for each output, or a list of bytes for BYTES."""
    assert response.status == 200, response.body
    length = int(response.headers.get(HEADER.lower(), len(response.body)))
    fields, rest = json.loads(response.body[:length]), response.body[length:]
    assert (HEADER.lower() in response.headers) == bool(rest)
    found: dict[str, Any] = {}
    for each in fields["outputs"]:
        if "data" in each:
            found[each["name"]] = _listed(each)
            continue
        size = each["parameters"]["binary_data_size"]
        data, rest = rest[:size], rest[size:]
        found[each["name"]] = (
            _elements(data, math.prod(each["shape"]))
            if each["datatype"] == "BYTES"
            else np.frombuffer(data, np.float32).reshape(each["shape"])
        )
    assert not rest
    return found


def _listed(each: dict[str, Any]) -> Any:
    assert len(each["data"]) == math.prod(each["shape"])
    if each["datatype"] == "BYTES":
        return [text.encode() for text in each["data"]]
    return np.array(each["data"], np.float32).reshape(each["shape"])


def _elements(data: bytes, count: int) -> Sequence[bytes]:
    found = []
    for _ in range(count):
        (length,) = struct.unpack_from("<I", data)
        found.append(data[4 : 4 + length])
        data = data[4 + length :]
    assert not data
    return found
