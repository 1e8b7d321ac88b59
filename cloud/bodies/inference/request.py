"""What an inference request asks for: the JSON object at its beginning, every field of it checked.

https://github.com/kserve/open-inference-protocol, with the extensions `binary_tensor_data` and `classification` of Triton Inference
Server. Imports neither torch nor codecs, so that the small process that reads large JSON can use it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cloud.bodies.inference.fields import (
    ACCEPTED,
    DATATYPES,
    LARGEST,
    bad,
    flag,
    id_of,
    is_length,
    list_of,
    name_of,
    number,
    object_of,
    score,
    shown,
)
from cloud.bodies.json.body import parse_object
from shared.errors import BodyError, LimitError
from shared.limits import (
    MAX_INFERENCE_HEADER_BYTES,
    MAX_INFERENCE_OUTPUTS,
    MAX_LABELS,
    MAX_RANK,
    MAX_TENSORS,
)
from shared.network.partition import INPUT
from shared.tasks.spec import Wanted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shared.wire.frame import Bytes

HEADER = "Inference-Header-Content-Length"
"""The HTTP header that says how many bytes of the body are JSON; without it all of them are."""
_LENGTH_BYTES = 4
_MICROSECONDS = 1000


@dataclass(frozen=True, slots=True)
class Input:
    """One tensor that a request brings."""

    name: str
    datatype: str
    """One of DATATYPES."""
    shape: tuple[int, ...]
    """With the batch dimension."""
    size: int | None = None
    """Its bytes in the binary part of the body; None if its numbers are in the JSON."""
    data: Any = None
    """Those numbers, in nested lists or a flat one."""


@dataclass(frozen=True, slots=True)
class Output:
    """One tensor that a request asks for."""

    name: str
    binary: bool
    """Whether it is to come behind the JSON."""
    classes: int = 0
    """How many classes are wanted in place of the values, those of the largest; 0: the values."""


@dataclass(frozen=True, slots=True)
class Request:
    """An inference request."""

    inputs: tuple[Input, ...]
    outputs: tuple[Output, ...] | None = None
    """None: all that the network gives."""
    id: str | None = None
    binary: bool = False
    """Whether outputs come behind the JSON where `outputs` does not say."""
    timeout_ms: int = 0
    """Milliseconds from the arrival of the header; 0: as long as the server allows."""
    wanted: Wanted = Wanted()  # noqa: RUF009 - frozen

    @property
    def rows(self) -> int:
        """The length of the batch dimension; of BYTES, which have no other, all elements."""
        shape = self.inputs[0].shape
        return math.prod(shape) if self.inputs[0].datatype == "BYTES" else shape[0]

    @property
    def by_row(self) -> bool:
        """Whether each row is decoded by itself: frames and pictures' files, which are BYTES, and pixels."""
        given = self.inputs[0]
        return given.datatype == "BYTES" or (given.datatype == "UINT8" and given.name == INPUT)

    def first_element(self, json_bytes: int) -> int:
        """Where in a body the first element of an input of BYTES begins; a body without JSON is that element."""
        return json_bytes + _LENGTH_BYTES if json_bytes else 0


def header_length(text: str | None, declared: int) -> int | None:
    """The value of the header HEADER, None without one. `declared` is the body's length as far as it is known. Raises RequestError."""
    if text is None:
        return None
    accepted = {HEADER: f"0 to {MAX_INFERENCE_HEADER_BYTES}, and at most the body's length"}
    if not (text.isascii() and text.isdecimal()):
        raise BodyError(f"{HEADER}: {text[:40]} is not a number of bytes", accepted=accepted)
    length = int(text[:20])
    if length > MAX_INFERENCE_HEADER_BYTES:
        raise LimitError(
            f"a JSON part of {length} bytes before binary tensors; send all tensors in binary form, or all in JSON",
            accepted=accepted,
        )
    if declared and length > declared:
        raise BodyError(f"{HEADER}: {length}, and the body has {declared} bytes", accepted=accepted)
    return length


def parse_header(text: Bytes, length: int) -> Request:
    """The request in the first `length` bytes of a body, of which `text` has no fewer unless the body is shorter. Raises RequestError."""
    if len(text) < length:
        raise BodyError(f"{HEADER}: {length}, and the body has {len(text)} bytes")
    return parse_request(parse_object(memoryview(text)[:length], ACCEPTED))


def raw_request(outputs: str, wanted: Wanted) -> Request:
    """The request that a body without JSON is: its only element of BYTES. `outputs` are names with commas between. Raises LimitError."""
    names = [each.strip() for each in outputs.split(",") if each.strip()]
    if len(names) > MAX_INFERENCE_OUTPUTS:
        raise LimitError(
            f"a request of {len(names)} outputs", accepted={"outputs": f"at most {MAX_INFERENCE_OUTPUTS}"}
        )
    asked = tuple(Output(each, binary=False) for each in dict.fromkeys(names)) if names else None
    return Request((Input(INPUT, "BYTES", (1,), 0),), asked, wanted=wanted)


def parse_request(fields: Mapping[str, Any], *, emptied: bool = False) -> Request:
    """The request that a JSON object describes; `emptied` if the inputs' data was taken out of it. Raises RequestError."""
    inputs = list_of(fields, "inputs", MAX_TENSORS)
    if not inputs:
        raise bad('the request has no "inputs"')
    parameters = object_of(fields, "parameters", "the request")
    binary = flag(parameters, "binary_data_output")
    outputs = list_of(fields, "outputs", MAX_INFERENCE_OUTPUTS)
    asked = tuple(_output(each, default=binary) for each in outputs) if outputs else None
    for what, found in (("input", inputs), ("output", outputs)):
        names = [each.get("name") if isinstance(each, dict) else None for each in found]
        if len(set(map(str, names))) < len(names):
            raise bad(f"an {what} is named twice")
    return Request(
        tuple(_input(each, emptied=emptied) for each in inputs),
        asked,
        id_of(fields.get("id")),
        binary,
        -(-number(parameters, "timeout", 0, LARGEST) // _MICROSECONDS),
        Wanted(
            number(parameters, "top", Wanted.top, MAX_LABELS, least=1),
            score(parameters.get("threshold")),
        ),
    )


def emptied(fields: Mapping[str, Any]) -> dict[str, Any]:
    """What a request's JSON object says, without the inputs' data and what nobody reads: either may be megabytes. It must have been parsed."""
    asked = [
        _only(each, "name") | {"parameters": _only(each.get("parameters"), "binary_data", "classification")}
        for each in fields.get("outputs") or ()
    ]
    return _only(fields, "id") | {
        "parameters": _only(fields.get("parameters"), "binary_data_output", "timeout", "top", "threshold"),
        "inputs": [_only(each, "name", "datatype", "shape") for each in fields["inputs"]],
        "outputs": asked,
    }


def _only(fields: Mapping[str, Any] | None, *keys: str) -> dict[str, Any]:
    return {key: fields[key] for key in keys if key in fields} if fields else {}


def _input(fields: Any, *, emptied: bool) -> Input:
    name = name_of(fields, "input")
    datatype, shape = fields.get("datatype"), fields.get("shape")
    if datatype not in DATATYPES:
        raise BodyError(
            f"input {name} is of datatype {shown(datatype)}", accepted={"datatype": list(DATATYPES)}
        )
    if not (isinstance(shape, list) and 1 <= len(shape) <= MAX_RANK + 1 and all(map(is_length, shape))):
        raise bad(f"input {name} is of shape {shown(shape)}: the shape is a list of whole numbers above 0")
    parameters = object_of(fields, "parameters", f"input {name}")
    if "shared_memory_region" in parameters:
        raise bad(f"input {name} is in shared memory, which this server has not")
    size = number(parameters, "binary_data_size", -1, LARGEST)
    if size >= 0:
        if "data" in fields:
            raise bad(f"input {name} has both data and binary_data_size")
        return Input(name, datatype, tuple(shape), size)
    if "data" not in fields and not emptied:
        raise bad(f"input {name} has neither data nor binary_data_size")
    return Input(name, datatype, tuple(shape), None, fields.get("data"))


def _output(fields: Any, *, default: bool) -> Output:
    name = name_of(fields, "output")
    parameters = object_of(fields, "parameters", f"output {name}")
    if "shared_memory_region" in parameters:
        raise bad(f"output {name} is wanted in shared memory, which this server has not")
    binary = flag(parameters, "binary_data") if "binary_data" in parameters else default
    return Output(name, binary, number(parameters, "classification", 0, MAX_LABELS))
