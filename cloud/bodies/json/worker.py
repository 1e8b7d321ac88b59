"""`python -m cloud.bodies.json.worker`: reads JSON bodies of tensors from its standard input, one after another.

It is a separate process because parsing megabytes of JSON holds the interpreter's lock for as long as it takes: on a thread
it would stop the event loop and every other frame. Started and ended by cloud/bodies/json/process.py; it imports no torch.

A message is the lengths of a JSON header and of a payload, then both. A question is the body's form, the arguments of its reader and the
seconds left, with the body; an answer is the tensors' description with the bytes of their arrays, one after
another, or a refusal.
"""

from __future__ import annotations

import contextlib
import io
import json
import math
import os
import signal
import struct
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from cloud.bodies.inference.json_request import read_inference
from cloud.bodies.json.body import Tensors, read_tensors
from shared.errors import RequestError, all_request_errors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cloud.bodies.json.body import Shapes
    from shared.wire.frame import Bytes

FORMS = {"tensors": read_tensors, "inference": read_inference}
"""What bodies may be: those of `POST /model`, and those of the Open Inference Protocol."""
_LENGTHS = struct.Struct("<QQ")
_MAX_BYTES = 1 << 31
"""Largest header or payload: the largest body that a setting allows, a gigabyte of "0,", becomes twice as much float32."""
_GRACE_S = 1.0
_ERRORS = {error.__name__: error for error in all_request_errors()}
_NICE = 10


def ask(
    to_worker: io.FileIO,
    from_worker: io.FileIO,
    pieces: Sequence[Bytes],
    shapes: Shapes,
    default: str,
    max_tensors: int,
    seconds: float,
    form: str = "tensors",
) -> Tensors:
    """Have the worker read a body of this form, in any number of pieces.

    Raises the RequestError of the form's reader, and OSError or EOFError if the worker has ended.
    """
    question = {
        "form": form,
        "shapes": shapes,
        "default": default,
        "max_tensors": max_tensors,
        "seconds": seconds,
    }
    _send(to_worker, question, *pieces)
    header, payload = _receive(from_worker)
    if "error" in header:
        raise _ERRORS[header["error"]](header["message"], accepted=header["accepted"])
    numbers, arrays, start = np.frombuffer(payload, np.float32), [], 0
    for shape in header["shapes"]:
        end = start + math.prod(shape)
        arrays.append(numbers[start:end].reshape(shape))
        start = end
    return Tensors(header["split_point"], tuple(arrays), header["count"], header["cpu_s"])


def serve(questions: io.FileIO, answers: io.FileIO) -> None:
    """Answer until the cloud closes the pipe, which its death does as well, however sudden."""
    with contextlib.suppress(EOFError, BrokenPipeError):
        while True:
            _serve_one(questions, answers)


def _serve_one(questions: io.FileIO, answers: io.FileIO) -> None:
    question, body = _receive(questions)
    # The cloud ends a worker that hangs; if the cloud has gone, the worker has to end itself.
    signal.setitimer(signal.ITIMER_REAL, question["seconds"] + _GRACE_S)
    header, payload = _answer(question, body)
    _send(answers, header, *payload)
    signal.setitimer(signal.ITIMER_REAL, 0)


def _answer(question: dict[str, Any], body: bytearray) -> tuple[dict[str, Any], list[Bytes]]:
    start = time.process_time()
    shapes = {name: tuple(map(tuple, several)) for name, several in question["shapes"].items()}
    try:
        read = FORMS[question["form"]]
        tensors = read(body, shapes, question["default"], question["max_tensors"])
    except RequestError as error:
        refusal = {"error": type(error).__name__, "message": str(error), "accepted": error.accepted}
        return refusal, []
    header = {
        "split_point": tensors.split_point,
        "shapes": [array.shape for array in tensors.arrays],
        "count": tensors.count,
        "cpu_s": time.process_time() - start,
    }
    return header, [array.data.cast("B") for array in tensors.arrays]


def _send(file: io.FileIO, header: dict[str, Any], *payload: Bytes) -> None:
    text = json.dumps(header).encode()
    for piece in (_LENGTHS.pack(len(text), sum(map(len, payload))), text, *payload):
        rest = memoryview(piece)
        while rest:
            rest = rest[file.write(rest) :]


def _receive(file: io.FileIO) -> tuple[dict[str, Any], bytearray]:
    header, payload = _LENGTHS.unpack(_read(file, _LENGTHS.size))
    if max(header, payload) > _MAX_BYTES:
        raise ValueError(f"a header of {header} bytes and a payload of {payload}: this is no message")
    return json.loads(_read(file, header)), _read(file, payload)


def _read(file: io.FileIO, size: int) -> bytearray:
    data = bytearray(size)
    rest = memoryview(data)
    while rest:
        count = file.readinto(rest)
        if not count:
            raise EOFError
        rest = rest[count:]
    return data


def main() -> None:
    """Serve on standard input and output. Frames go before: this may take seconds of a core that they need."""
    os.nice(_NICE)
    answers = os.dup(1)
    os.dup2(2, 1)  # whatever a library prints must not mix with the answers
    with io.FileIO(0) as questions, io.FileIO(answers, "w") as file:
        serve(questions, file)


if __name__ == "__main__":
    main()
