"""Answers of a cloud, damaged: the edge reads one that it can write down and show, or refuses it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from kits.codecs import frame_of
from kits.fuzz.campaign import try_out
from kits.fuzz.mutations import as_json

from edge.uplink.asking.question import Question
from edge.uplink.greeting import read_model
from edge.uplink.reply import Reply, read_reply
from shared.codecs import NAMES
from shared.errors import MismatchError, UplinkError
from shared.observing.json_lines import encoded
from shared.tasks.classify import Classify
from shared.tasks.detection.boxes import boxes_of
from shared.tasks.detection.kind import DETECT
from shared.tasks.raw import Raw
from shared.tasks.registry import read_answer
from shared.tasks.segmentation.class_map import class_map
from shared.tasks.segmentation.segment import Layout, Segment
from shared.tasks.spec import TaskSpec
from shared.wire import frame as wire

if TYPE_CHECKING:
    import random

    from shared.tasks.base import Answer, Task

LABELS = ("cat", "dog", "tree")
SIZE = (64, 48)
FRAME = wire.pack(frame_of(NAMES["float32"], frame_id=7, split_point="layer3"))
REFUSED = (AttributeError, KeyError, OverflowError, TypeError, ValueError)
"""What the tasks raise for no answer of theirs, as shared/tasks/base.py says."""


@dataclass(frozen=True)
class Case:
    """A task as an edge has it, and a true answer."""

    task: Task
    answer: Answer

    def read(self, status: int, body: bytes) -> Reply:
        """What the edge does with it. Raises UplinkError."""
        return read_reply(status, body, FRAME, Question("/model", self.task, 2.0))

    def reply(self) -> dict[str, Any]:
        """What the cloud sends."""
        return {
            "frame_id": 7,
            "fingerprint": "00" * 8,
            "split_point": "layer3",
            "task": self.task.name,
            **self.answer.fields(),
            "stages_ms": {"receive": 0.5, "decode": 0.2, "queue": 0.1, "tail": 4.2, "top": 0.05},
            "received": {"bytes": 100.0, "ms": 0.4},
        }


def cases() -> dict[str, Case]:
    chance = np.random.default_rng(1)
    boxes = boxes_of(
        np.array([[1, 2, 30, 40], [5, 5, 60, 20.5]]), [0.9, 0.5], [1, 0], LABELS.__getitem__, SIZE
    )
    areas = class_map(chance.integers(0, 3, (6, 8)), LABELS, SIZE)
    classify, raw = Classify(LABELS, 3), Raw(["a", "b"])
    return {
        "classify": Case(classify, classify.answer((np.array([1, 2, 0.5], np.float32),))),
        "raw": Case(raw, raw.answer((np.ones((2, 3), np.float32), np.zeros(1, np.float32)))),
        "segment": Case(Segment(Layout(TaskSpec("segment")), LABELS, SIZE), areas),
        "detect": Case(DETECT.reader(), boxes),
    }


CASES = cases()


def assert_usable(answer: Answer) -> None:
    """It can be written to a record and to a terminal, and be counted."""
    fields = answer.fields()
    json.loads(encoded(fields), parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert all(0 <= probability <= 1 for _, probability in answer.findings()), fields
    for text in (answer.headline(), *answer.shows()):
        text.encode()
        assert not any(each < " " or "\x7f" <= each < "\xa0" for each in text), "it would act on a terminal"


@pytest.mark.parametrize("name", CASES)
def test_replies(name):
    case = CASES[name]
    seed = case.reply()
    assert case.read(200, json.dumps(seed).encode()).answer == case.answer

    def check(data: bytes) -> object:
        try:
            reply = case.read(200, data)
        except UplinkError as error:
            assert str(error).isprintable()
            return None
        assert_usable(reply.answer)
        assert all(0 <= each < 3000 for each in reply.steps_ms.values()), "longer than the frame's whole way"
        return reply

    assert try_out(f"replies {name}", 5_000, lambda chance: as_json(chance, seed), check, seconds=1) > 0.01


def test_answers_to_clients_without_a_network():
    seeds = [case.reply() for case in CASES.values()]

    def check(data: bytes) -> object:
        try:
            fields = json.loads(data)
            answer = read_answer(fields)
        except (*REFUSED, RecursionError):
            return None
        if fields.get("task") in (None, *CASES):
            assert_usable(answer)
        return answer

    def make(chance: random.Random) -> bytes:
        return as_json(chance, chance.choice(seeds))

    assert try_out("answers", 5_000, make, check, seconds=1) > 0.01


def test_refusals_and_descriptions():
    refusal = {"error": "too many", "reason": "queue_full", "accepted": {"max": 3}}
    described = {
        "model": "a",
        "weights": "b",
        "fingerprint": "00" * 8,
        "also_serves": ["11" * 8],
        "task": "raw",
    }

    def make(chance: random.Random) -> bytes:
        return bytes([chance.randrange(256)]) + as_json(chance, chance.choice([refusal, described]))

    def check(data: bytes) -> object:
        status, body = 2 * data[0] + 90, data[1:]
        if status != 200:
            with pytest.raises(UplinkError) as caught:
                CASES["raw"].read(status, body)
            assert str(caught.value).isprintable()
        try:
            return read_model(status, body, "http://cloud")
        except (UplinkError, MismatchError) as error:
            assert str(error).isprintable()
            return None

    try_out("refusals", 5_000, make, check, seconds=1)
