"""Answers to inference requests: whose places are whose, what is binary, and how long they may be."""

from __future__ import annotations

import contextlib
import json
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import cloud.bodies.inference.answer as module
from cloud.access.refusals import AnswerError
from cloud.bodies.inference.answer import Composer, require_room
from cloud.bodies.inference.request import Input, Output, Request
from shared.network.partition import Partition, SplitPoint

SCORES = np.array([[0.5, 3.0, 3.0, -1.0], [9.0, 0.0, 1.0, 2.0]], np.float32)
GIVEN = (Input("input", "BYTES", (2,), 8),)


class Places:
    """An answer with a place, which knows in whose picture it is."""

    def __init__(self, row: float, size: tuple[int, int] | None = None) -> None:
        self._row, self._size = row, size

    def in_picture(self, recipe: str, size: tuple[int, int]) -> Places:
        assert recipe == "recipe"
        return Places(self._row, size)

    def fields(self) -> dict[str, Any]:
        return {"first": self._row, "size": self._size}


class Network:
    model = SimpleNamespace(
        name="net", outputs=("scores",), labels=("ape", "bee", "cat", "dog"), fingerprint=bytes(8), recipe="recipe",
        task=SimpleNamespace(name="detect"),
    )  # fmt: skip
    partition = Partition([SplitPoint("output", ((4,),), 1, 0)])

    def task(self, wanted: Any) -> Any:
        return SimpleNamespace(answer=lambda outputs: Places(float(outputs[0][0])))


class Watch:
    def step(self, _name: str) -> Any:
        return contextlib.nullcontext()


def composed(
    *outputs: Output, sources: Any = (None, None), **fields: Any
) -> tuple[list[dict[str, Any]], bytes]:
    account = SimpleNamespace(computing=contextlib.nullcontext)
    request = Request(GIVEN, outputs or None, **fields)
    composer = Composer(None, account, Watch(), request)  # type: ignore[arg-type]
    reply = composer.compose_rows(Network(), sources, (SCORES,))  # type: ignore[arg-type]
    length = len(reply.body) if reply.json_bytes is None else reply.json_bytes
    return json.loads(reply.body[:length])["outputs"], reply.body[length:]


def test_each_row_has_its_places_in_its_own_picture() -> None:
    (answer,), rest = composed(Output("answer", binary=False), sources=((480, 640), None))
    assert [json.loads(each) for each in answer["data"]] == [
        {"task": "detect", "first": 0.5, "size": [480, 640]},
        {"task": "detect", "first": 9.0, "size": None},
    ]
    assert (answer["datatype"], answer["shape"], rest) == ("BYTES", [2], b"")


def test_classes_are_the_largest_values_and_the_first_of_equal_ones() -> None:
    (classes,), _ = composed(Output("scores", binary=False, classes=2))
    assert classes["shape"] == [2, 2]
    assert classes["data"] == ["3.000000:1:bee", "3.000000:2:cat", "9.000000:0:ape", "2.000000:3:dog"]
    (all_of_them,), _ = composed(Output("scores", binary=False, classes=99))
    assert all_of_them["shape"] == [2, 4]


def test_what_is_binary_follows_in_the_order_of_the_outputs() -> None:
    outputs, rest = composed(
        Output("answer", binary=True), Output("scores", binary=True), sources=(None, (1, 2))
    )
    sizes = [each["parameters"]["binary_data_size"] for each in outputs]
    assert sum(sizes) == len(rest)
    np.testing.assert_array_equal(np.frombuffer(rest[sizes[0] :], np.float32).reshape(2, 4), SCORES)
    assert json.loads(rest[4 : 4 + int.from_bytes(rest[:4], "little")])["first"] == 0.5


def test_an_answer_that_is_too_long_is_refused_before_and_while_it_is_made(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MAX_JSON_ANSWER_BYTES", 30)
    network: Any = Network()
    require_room(Request(GIVEN, (Output("answer", binary=True),)), network)
    with pytest.raises(AnswerError, match="longer than 30 bytes"):
        require_room(Request(GIVEN), network)
    for outputs in ((Output("answer", binary=True),), (Output("scores", binary=True),), ()):
        with pytest.raises(AnswerError):
            composed(*outputs)


def test_classes_that_are_too_many_are_refused_before_all_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    network: Any = Network()
    for binary in (False, True):
        asked = Request(GIVEN, (Output("scores", binary=binary, classes=3),))
        monkeypatch.setattr(module, "MAX_JSON_ANSWER_BYTES", 6 * 14)
        require_room(asked, network)
        monkeypatch.setattr(module, "MAX_JSON_ANSWER_BYTES", 6 * 14 - 1)
        with pytest.raises(AnswerError, match="longer than 83 bytes"):
            require_room(asked, network)
    made: list[Any] = []
    classes = module._classes
    monkeypatch.setattr(module, "_classes", lambda *given: made.append(given) or classes(*given))
    monkeypatch.setattr(module, "MAX_JSON_ANSWER_BYTES", 30)
    with pytest.raises(AnswerError):
        composed(Output("scores", binary=True, classes=4))
    assert len(made) == 1


def test_what_takes_long_is_not_quick() -> None:
    few, many = (np.zeros((1, count), np.float32) for count in (200, 1000))
    for outputs, binary, quick in (
        (None, True, (True, True)),
        (None, False, (True, False)),
        ((Output("scores", binary=True),), False, (True, True)),
        ((Output("scores", binary=False),), True, (True, False)),
        ((Output("scores", binary=False, classes=3),), False, (True, True)),
        ((Output("answer", binary=False),), False, (True, True)),
    ):
        composer = Composer(None, None, None, Request(GIVEN, outputs, binary=binary))  # type: ignore[arg-type]
        assert (composer.is_quick((few,)), composer.is_quick((many,))) == quick, outputs
    boxes = Composer(None, None, None, Request(GIVEN, (Output("answer", binary=False),)))  # type: ignore[arg-type]
    assert not boxes.is_quick((np.zeros((1, 10_000), np.float32),))
