"""`python -m cloud.bodies.json_worker`: reads JSON bodies of tensors from its standard input, one after another.

A process of its own, because parsing megabytes of JSON holds the interpreter's lock for as long as it takes: on a thread
it would stop the event loop and every other frame. Started and ended by cloud/bodies/json_process.py; it imports no torch.

A message is the lengths of two parts, a JSON header and its payload. A question is what `read_tensors` is asked and the
seconds left, with the body; an answer is the tensors' description with the array's bytes, or a refusal.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import struct
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from cloud.bodies.json_body import Tensors, read_tensors
from shared.errors import RequestError, all_request_errors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cloud.bodies.json_body import Shapes
    from shared.wire.frame import Bytes

_LENGTHS = struct.Struct("<QQ")
_MAX_BYTES = 1 << 31
"""Of a part: the largest body there may be, a gigabyte of "0,", becomes twice as much float32."""
_GRACE_S = 1.0
_ERRORS = {error.__name__: error for error in all_request_errors()}


def ask(
    to_worker: io.FileIO,
    from_worker: io.FileIO,
    pieces: Sequence[Bytes],
    shapes: Shapes,
    default: str,
    most: int,
    seconds: float,
) -> Tensors:
    """`read_tensors`, there, of a body in any number of pieces.

    Raises RequestError as it does, and OSError or EOFError if the worker has ended.
    """
    question = {"shapes": shapes, "default": default, "most": most, "seconds": seconds}
    _send(to_worker, question, *pieces)
    header, payload = _receive(from_worker)
    if "error" in header:
        raise _ERRORS[header["error"]](header["message"], accepted=header["accepted"])
    array = np.frombuffer(payload, np.float32).reshape(header["shape"])
    return Tensors(header["split_point"], array, header["count"], header["cpu_s"])


def serve(questions: io.FileIO, answers: io.FileIO) -> None:
    """Answer until the cloud hangs up: its death, however sudden, closes the pipe."""
    with contextlib.suppress(EOFError, BrokenPipeError):
        while True:
            _serve_one(questions, answers)


def _serve_one(questions: io.FileIO, answers: io.FileIO) -> None:
    question, body = _receive(questions)
    # The cloud ends what hangs; should it be gone, nobody else is left to do so.
    signal.setitimer(signal.ITIMER_REAL, question["seconds"] + _GRACE_S)
    header, payload = _answer(question, body)
    _send(answers, header, payload)
    signal.setitimer(signal.ITIMER_REAL, 0)


def _answer(question: dict[str, Any], body: bytearray) -> tuple[dict[str, Any], Bytes]:
    start = time.process_time()
    shapes = {name: tuple(shape) for name, shape in question["shapes"].items()}
    try:
        tensors = read_tensors(body, shapes, question["default"], question["most"])
    except RequestError as error:
        refusal = {"error": type(error).__name__, "message": str(error), "accepted": error.accepted}
        return refusal, b""
    header = {
        "split_point": tensors.split_point,
        "shape": tensors.array.shape,
        "count": tensors.count,
        "cpu_s": time.process_time() - start,
    }
    return header, tensors.array.data.cast("B")


def _send(file: io.FileIO, header: dict[str, Any], *payload: Bytes) -> None:
    text = json.dumps(header).encode()
    for part in (_LENGTHS.pack(len(text), sum(map(len, payload))), text, *payload):
        rest = memoryview(part)
        while rest:
            rest = rest[file.write(rest) :]


def _receive(file: io.FileIO) -> tuple[dict[str, Any], bytearray]:
    header, payload = _LENGTHS.unpack(_read(file, _LENGTHS.size))
    if max(header, payload) > _MAX_BYTES:
        raise ValueError(f"parts of {header} and {payload} bytes: out of step")
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
    """Serve on standard input and output."""
    answers = os.dup(1)
    os.dup2(2, 1)  # whatever a library prints is no answer
    with io.FileIO(0) as questions, io.FileIO(answers, "w") as file:
        serve(questions, file)


if __name__ == "__main__":
    main()
