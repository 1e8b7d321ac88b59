"""Outputs as the answer to an inference request: JSON, and behind it the tensors that were asked for in binary form."""

from __future__ import annotations

import json
import math
import struct
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from cloud.access.refusals import AnswerError
from cloud.bodies.inference.names import ANSWER, require_outputs
from cloud.bodies.inference.request import Output
from cloud.bodies.json.answer import SHORTEST, numbers_as_json
from cloud.bodies.outputs import numbers_in
from cloud.bodies.reply import QUICK_NUMBERS, Reply
from shared.errors import BodyError
from shared.limits import MAX_JSON_ANSWER_BYTES
from shared.network.partition import OUTPUT

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from cloud.access.clients import Account
    from cloud.bodies.frames import Work
    from cloud.bodies.inference.request import Request
    from cloud.networks.network import LoadedNetwork
    from shared.engines.half import Tensors
    from shared.network.model import Model
    from shared.observing.counting.counter import Counter
    from shared.observing.telemetry import Stopwatch
    from shared.tasks.base import Task

    Source = tuple[int, int] | None
    """(height, width) of the picture of a row, in whose pixels its answer's places are to be."""

_QUICK_JSON = 256
"""Numbers as JSON that take a fraction of a millisecond."""
_QUICK_BINARY = 1 << 16
_LENGTH = struct.Struct("<I")
_FLOAT = np.dtype("<f4")
_SHORTEST_CLASS = _LENGTH.size + len("0.000000:0")
"""Bytes that a class takes at least; in JSON its marks and comma are as long as its length."""


class _Part(NamedTuple):
    """One output of an answer."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    binary: bytes | None
    """Its bytes behind the JSON; None if it is in the JSON."""
    data: Iterator[str] | None = None
    """Its JSON, in pieces."""


def outputs_of(request: Request, model: Model) -> tuple[Output, ...]:
    """What the request is answered with. Raises BodyError for what the network cannot give."""
    if request.outputs is None:
        return tuple(Output(name, request.binary) for name in model.outputs)
    require_outputs([each.name for each in request.outputs], model)
    for each in request.outputs:
        if each.classes and each.name not in model.outputs:
            raise BodyError(
                f"output {each.name} is text, and has no classes", accepted={"outputs": list(model.outputs)}
            )
    return request.outputs


def require_room(request: Request, network: LoadedNetwork) -> None:
    """Raise AnswerError if the answer would be too long, however short its numbers are, and what `outputs_of` raises."""
    model, shapes = network.model, network.partition.points[OUTPUT].shapes
    size = 0
    for each in outputs_of(request, model):
        if each.name in model.outputs:
            numbers = math.prod(shapes[model.outputs.index(each.name)])
            if each.classes:
                size += _SHORTEST_CLASS * min(each.classes, numbers)
            else:
                size += (_FLOAT.itemsize if each.binary else SHORTEST) * numbers
    if size * request.rows > MAX_JSON_ANSWER_BYTES:
        raise _too_long()


class Composer:
    """Composes the answer to one request. For any thread."""

    def __init__(self, cpu: Counter, account: Account, watch: Stopwatch, request: Request) -> None:
        """`cpu` counts processor time by step; `account` is charged for it."""
        self._cpu = cpu
        self._account = account
        self._watch = watch
        self._request = request

    @property
    def watch(self) -> Stopwatch:
        """Times its steps."""
        return self._watch

    def is_quick(self, outputs: Tensors) -> bool:
        """Whether the answer takes less than a millisecond."""
        asked = self._request.outputs
        if asked is None:
            return numbers_in(outputs) <= (_QUICK_BINARY if self._request.binary else _QUICK_JSON)
        computed = any(each.classes or each.name == ANSWER for each in asked)
        in_json = any(not (each.binary or each.classes or each.name == ANSWER) for each in asked)
        most = _QUICK_JSON if in_json else QUICK_NUMBERS if computed else _QUICK_BINARY
        return numbers_in(outputs) <= most

    def compose(self, network: LoadedNetwork, work: Work, outputs: Tensors) -> Reply:
        """The answer in outputs, each (n, …), which are finite. Raises ContentError, BodyError or AnswerError."""
        return self.compose_rows(network, [work.source] * len(outputs[0]), outputs)

    def compose_rows(self, network: LoadedNetwork, rows: Sequence[Source], outputs: Tensors) -> Reply:
        """The same for rows of pictures and others."""
        with self._watch.step("top"), self._account.computing():
            parts = [
                self._part(each, network, rows, outputs) for each in outputs_of(self._request, network.model)
            ]
            head = {
                "model_name": network.model.name,
                "model_version": network.model.fingerprint.hex(),
            } | ({} if self._request.id is None else {"id": self._request.id})
            return _written(head, parts)

    def _part(self, asked: Output, network: LoadedNetwork, rows: Sequence[Source], outputs: Tensors) -> _Part:
        model = network.model
        if asked.name not in model.outputs:
            texts = _answers(network.task(self._request.wanted), network, rows, outputs)
            return _text_part(asked, (len(rows),), texts)
        array = outputs[model.outputs.index(asked.name)]
        if asked.classes:
            kept = min(asked.classes, math.prod(array.shape[1:]))
            texts = (each for row in array for each in _classes(row, kept, model.labels))
            return _text_part(asked, (len(rows), kept), texts)
        if asked.binary:
            return _Part(asked.name, "FP32", array.shape, np.ascontiguousarray(array, _FLOAT).tobytes())
        return _Part(asked.name, "FP32", array.shape, None, numbers_as_json(array.reshape(-1)))


def _answers(task: Task, network: LoadedNetwork, rows: Sequence[Source], outputs: Tensors) -> Iterator[str]:
    for number, source in enumerate(rows):
        answer = task.answer(tuple(each[number] for each in outputs))
        if source:
            answer = answer.in_picture(network.model.recipe, source)
        yield json.dumps({"task": network.model.task.name, **answer.fields()})


def _classes(row: NDArray[np.float32], kept: int, labels: Sequence[str]) -> list[str]:
    """`value:index:label` of so many largest values, the largest first; without labels that are one for each value, `value:index`."""
    values = row.reshape(-1)
    among = np.flatnonzero(values >= np.partition(values, -kept)[-kept])
    ranked = among[np.argsort(-values[among], kind="stable")[:kept]]
    named = len(labels) == len(values)
    return [f"{values[index]:f}:{index}" + (f":{labels[index]}" if named else "") for index in ranked]


def _text_part(asked: Output, shape: tuple[int, ...], texts: Iterator[str] | Sequence[str]) -> _Part:
    found, size = [], 0
    for text in texts:
        found.append(text)
        size += len(text)
        if size > MAX_JSON_ANSWER_BYTES:
            raise _too_long()
    if not asked.binary:
        return _Part(asked.name, "BYTES", shape, None, iter([json.dumps(found)]))
    encoded = [text.encode(errors="replace") for text in found]
    return _Part(asked.name, "BYTES", shape, b"".join(_LENGTH.pack(len(each)) + each for each in encoded))


def _written(head: dict[str, Any], parts: Sequence[_Part]) -> Reply:
    pieces: list[bytes] = []
    binary = [part.binary for part in parts if part.binary is not None]
    size = sum(map(len, binary))
    for piece in _json(head, parts):
        pieces.append(piece.encode())
        size += len(piece)
        if size > MAX_JSON_ANSWER_BYTES:
            raise _too_long()
    if not binary:
        return Reply(b"".join(pieces))
    return Reply(b"".join((*pieces, *binary)), json_bytes=sum(map(len, pieces)))


def _json(head: dict[str, Any], parts: Sequence[_Part]) -> Iterator[str]:
    yield json.dumps(head)[:-1] + ', "outputs": ['
    for place, part in enumerate(parts):
        fields: dict[str, Any] = {"name": part.name, "datatype": part.datatype, "shape": part.shape}
        if part.binary is not None:
            fields["parameters"] = {"binary_data_size": len(part.binary)}
        yield (", " if place else "") + json.dumps(fields)[:-1]
        if part.data is not None:
            yield ', "data": '
            yield from part.data
        yield "}"
    yield "]}"


def _too_long() -> AnswerError:
    return AnswerError(
        f"the answer is longer than {MAX_JSON_ANSWER_BYTES} bytes; ask for fewer rows, or for other outputs",
        accepted={"max_bytes": MAX_JSON_ANSWER_BYTES, "outputs": [ANSWER]},
    )
