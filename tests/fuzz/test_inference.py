"""Inference requests damaged at random: every one becomes work for a tail, or a refusal that says why."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
from kits.fuzz.campaign import try_out
from kits.fuzz.mutations import as_json, bent, damaged
from kits.inference import body, tensor, texts

from cloud.access.ledger import Entry
from cloud.bodies.body import Body
from cloud.bodies.inference.fields import DATATYPES
from cloud.bodies.inference.json_request import read_inference
from cloud.bodies.inference.reading import Reading
from cloud.bodies.inference.request import header_length, parse_header, parse_request
from cloud.bodies.inference.tensors import require_rows
from cloud.networks.usage import Usage
from shared.errors import RequestError
from shared.network.grid import Grid
from shared.network.partition import Partition, SplitPoint

if TYPE_CHECKING:
    import random

POINTS = [
    SplitPoint("input", ((3, 4, 5),), 0, 3),
    SplitPoint("layer1", ((6,),), 1, 2),
    SplitPoint("neck", ((2, 2), (3,)), 2, 1, (Grid(0.5, 3), None)),
    SplitPoint("output", ((4,),), 3, 0),
]
SHAPES = {point.name: point.shapes for point in POINTS}
ROWS = 8


class Network:
    partition = Partition(POINTS)
    usage = Usage()

    def shapes(self) -> Any:
        return SHAPES


def seeds() -> list[tuple[bytes, int]]:
    """Requests that are good, and how many of their bytes are JSON."""
    floats = np.linspace(0, 1, 12, dtype=np.float32)
    found = [
        body(tensor("layer1", floats.reshape(2, 6)), id="7"),
        body(tensor("layer1", floats[:6].reshape(1, 6).astype(np.float16)), outputs=[{"name": "output"}]),
        body(
            tensor("neck[0]", np.arange(4, dtype=np.uint8).reshape(1, 2, 2)),
            tensor("neck[1]", floats[:3].reshape(1, 3)),
        ),
        body(tensor("input", np.zeros((2, 6, 7, 3), np.uint8)), parameters={"timeout": 5, "top": 2}),
        body(texts(b"SDNF", b"picture", b""), parameters={"threshold": 0.5}),
    ]
    return [(data, *map(int, headers.values())) for data, headers in found]  # type: ignore[misc]


GOOD = seeds()
NUMBERS = {"name": "layer1", "shape": [2, 6], "datatype": "FP32", "data": [[0.0] * 6, [1.0] * 6]}
TREE = {
    "id": "x",
    "parameters": {"binary_data_output": False, "timeout": 1000, "top": 3},
    "inputs": [NUMBERS],
    "outputs": [{"name": "output", "parameters": {"binary_data": True, "classification": 2}}],
}


def exchanged(chance: random.Random, tree: Any) -> Any:
    """A request of which an input has the name or datatype of another kind."""
    inputs = tree.get("inputs") if isinstance(tree, dict) else None
    if isinstance(inputs, list) and inputs and isinstance(inputs[-1], dict):
        key, values = chance.choice(
            [("datatype", DATATYPES), ("name", ["input", "layer1", "neck[0]", "neck[1]", "neck", "output"])]
        )
        inputs[chance.choice((0, -1))] = inputs[-1] | {key: chance.choice(values)}
    return tree


def read(data: bytes, length: int) -> object:
    """What the cloud makes of a body, as far as it goes before networks and threads."""
    request = parse_header(data, length)
    require_rows(request, ROWS)
    given = Body()
    given.add(data, 0.0)
    reading = Reading(
        request,
        given,
        length,
        Network(),
        None,
        None,
        pinned=False,
        entry=Entry(None, ""),  # type: ignore[arg-type]
    )
    if request.by_row:
        rows = reading.split()
        assert len(rows) == request.rows
        assert sum(map(len, rows)) <= len(data)
        return rows
    _, work = reading.tensors()
    shapes = SHAPES[work.split_point]
    assert [each.shape for each in work.crossing] == [(request.rows, *shape) for shape in shapes]
    for each in work.crossing:
        assert each.dtype in (np.float32, np.uint8)
        assert np.isfinite(each).all()
    return work


def taken(call: Any, *given: Any) -> object | None:
    """The result; None for a refusal, which is the only other end."""
    try:
        return call(*given)
    except RequestError as error:
        assert 0 < len(str(error)) < 2000
        return None


def test_binary_requests() -> None:
    def make(chance: random.Random) -> bytes:
        data, length = chance.choice(GOOD)
        text, rest = data[:length], data[length:]
        match chance.randrange(4):
            case 0:  # other JSON, before the same tensors
                tree = bent(chance, json.loads(text))
                if chance.random() < 0.3:
                    tree = exchanged(chance, tree)
                text = json.dumps(tree).encode()
            case 1:
                text = damaged(chance, text)
            case 2:
                rest = damaged(chance, rest)
            case _:  # other numbers
                rest = bytes(each ^ chance.choice((0, 0, 0, 1, 64)) for each in rest)
        if chance.random() < 0.05:
            text = text[: chance.randrange(len(text) + 1)]
        return len(text).to_bytes(4, "little") + text + rest

    def check(data: bytes) -> object | None:
        return taken(read, data[4:], int.from_bytes(data[:4], "little"))

    for data, length in GOOD:
        assert read(data, length)
    assert try_out("inference", 15_000, make, check, seconds=4) > 0.1


def test_json_requests() -> None:
    def check(data: bytes) -> object | None:
        found = taken(read_inference, data, SHAPES, "input", ROWS)
        if found is not None:
            request = parse_request(found.count, emptied=True)  # type: ignore[attr-defined]
            assert [each.shape[0] for each in request.inputs] == [len(found.arrays[0])] * len(request.inputs)  # type: ignore[attr-defined]
        return found

    def make(chance: random.Random) -> bytes:
        return as_json(chance, TREE)

    assert check(json.dumps(TREE).encode()) is not None
    assert try_out("inference JSON", 8_000, make, check, seconds=4) > 0.05


def test_lengths_of_the_json() -> None:
    def make(chance: random.Random) -> bytes:
        return damaged(chance, chance.choice((b"0", b"120", b"16384", b"9" * 30)))

    def check(data: bytes) -> object | None:
        return taken(header_length, data.decode("latin-1"), 100_000)

    assert try_out("inference lengths", 2_000, make, check, seconds=1) > 0.05
