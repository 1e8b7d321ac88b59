"""The process that reads large JSON bodies gives the answers that this process would give."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
from kits.json_bodies import GOOD, MAX_TENSORS, SHAPES, WAIT_S, body_of, is_good, pid, read, run

from cloud.bodies.json.body import read_tensors
from shared.errors import RequestError

if TYPE_CHECKING:
    from cloud.bodies.json.process import JsonProcess

SEVERAL = [np.ones((2, *shape)).tolist() for shape in SHAPES["several"]]
BODIES = {
    "one": GOOD,
    "several frames": body_of(np.arange(240).reshape(4, 3, 4, 5).tolist(), split_point="cube", count=2.5),
    "larger than a pipe": body_of(np.linspace(-1, 1, 2 * 64 * 512).reshape(2, 64, 512).tolist(), split_point="deep"),
    "huge count": body_of([[0, 1]], count=10**40),
    "no count": json.dumps({"data": [[0, 1]]}).encode(),
    "false": body_of([[0, 1]], count=False),
    "subnormal": b'{"data": [[1e-45, 0.1]]}',
    "nothing": b"",
    "no JSON": b'{"data": [1,]}',
    "no object": b"[1]",
    "no data": b"{}",
    "nested": b'{"data":' + b"[" * 100_000,
    "too many lists": b'{"data": [' + b"[]," * 2_000_000 + b"0]}",
    "ragged": body_of([[1, 2], [3]]),
    "strings": body_of([["1", "2"]]),
    "other shape": body_of([[1, 2, 3]]),
    "too many": body_of([[1, 2]] * (MAX_TENSORS + 1)),
    "not finite": body_of([[1e39, 2]]),
    "count": body_of([[1, 2]], count="7"),
    "name": body_of([[1, 2]], split_point=["tiny"]),
    "unknown": body_of([[1, 2]], split_point="tinny"),
    "several": body_of(SEVERAL, split_point="several", count=1),
    "several, one too few": body_of(SEVERAL[:2], split_point="several"),
    "several, ragged": body_of([[[1, [2]]], *SEVERAL[1:]], split_point="several"),
    "several, not finite": body_of([[[1e39, 2]] * 2, *SEVERAL[1:]], split_point="several"),
    "several, other counts": body_of([[[1, 2]], *SEVERAL[1:]], split_point="several"),
    "surrogate": body_of([[1, 2]], split_point="\ud800"),
}  # fmt: skip


def test_every_answer_and_every_refusal_is_the_one_that_this_process_would_give() -> None:
    async def check(process: JsonProcess) -> None:
        refused = 0
        for name, body in BODIES.items():
            try:
                here = read_tensors(bytearray(body), SHAPES, "tiny", MAX_TENSORS)
            except RequestError as error:
                with pytest.raises(RequestError) as there:
                    await read(process, body)
                assert type(there.value) is type(error), name
                assert str(there.value) == str(error), name
                assert there.value.accepted == error.accepted, name
                refused += 1
            else:
                tensors = await read(process, body)
                assert (tensors.split_point, tensors.count) == (here.split_point, here.count), name
                assert tensors.cpu_s > here.cpu_s == 0, name
                assert type(tensors.count) is type(here.count), name
                assert len(tensors.arrays) == len(here.arrays), name
                for array, expected in zip(tensors.arrays, here.arrays, strict=True):
                    assert array.dtype == np.float32
                    np.testing.assert_array_equal(array, expected, strict=True)
        assert refused == 19
        first = pid(process)
        assert is_good(await read(process))
        assert pid(process) == first  # one process for all of them; a refusal does not cost it

    run(check)


def test_every_kind_of_bytes_is_read_in_pieces() -> None:
    async def check(process: JsonProcess) -> None:
        for kind in (bytes, bytearray, memoryview):
            pieces = [kind(GOOD[:9]), kind(GOOD[9:])]
            assert is_good(await process.read(pieces, SHAPES, "tiny", MAX_TENSORS, WAIT_S)), kind

    run(check)


def test_nothing_is_started_before_the_first_body() -> None:
    async def check(process: JsonProcess) -> None:
        assert process._process is None

    run(check)


def test_each_caller_gets_the_answer_to_its_own_body() -> None:
    async def check(process: JsonProcess) -> None:
        bodies = [body_of([[number, number / 2]], count=number) for number in range(20)]
        bodies[7] = b"{"
        answers = await asyncio.gather(*(read(process, body) for body in bodies), return_exceptions=True)
        assert isinstance(answers.pop(7), RequestError)
        numbers = [number for number in range(20) if number != 7]
        assert [answer.count for answer in answers] == numbers
        assert [answer.arrays[0].tolist() for answer in answers] == [[[n, n / 2]] for n in numbers]

    run(check)
