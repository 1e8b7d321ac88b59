"""Outputs as JSON: the same as the standard library writes, in pieces, and no longer than is allowed."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from kits.naming import naming

from cloud.access.refusals import AnswerError
from cloud.bodies.json import answer as module
from cloud.bodies.json.answer import json_answer, require_answerable
from shared.limits import MAX_JSON_ANSWER_BYTES, MAX_REPLY_BYTES

SHAPES = [
    (1,),
    (2, 1),
    (3, 1000),
    (1, 9000),
    (2, 5, 40, 41),
    (0, 7),
    (1, 0),
    (4097,),
    (2, 4096),
    (1, 8192, 2),
]


def array(shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def test_it_is_what_the_outputs_are() -> None:
    for shape in SHAPES:
        output = array(shape)
        with naming(shape):
            found = json.loads(json_answer((output,), ["logits"], 3))
            assert found == {"result": output.tolist(), "count": 3}
    both = array((2, 3)), array((2, 5000))
    found = json.loads(json_answer(both, ["boxes", 'sc"ores'], None))
    assert found == {"result": {"boxes": both[0].tolist(), 'sc"ores': both[1].tolist()}, "count": None}


def test_no_call_writes_many_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    """The interpreter is held for as long as a call takes: a class map of one frame is a million numbers."""
    most = 0

    class Counting:
        @staticmethod
        def dumps(value: Any) -> str:
            nonlocal most
            most = max(most, np.size(value))
            return json.dumps(value)

    monkeypatch.setattr(module, "json", Counting)
    for shape in [(1, 21, 224, 224), (1, 100_000), (2, 3, 5000)]:
        json_answer((array(shape),), ["x"], 1)
    assert 1000 < most <= 4096


def test_an_answer_that_is_too_long_is_refused_before_it_is_all_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    require_answerable(MAX_JSON_ANSWER_BYTES // 5)
    with pytest.raises(AnswerError, match="would hold") as refused:
        require_answerable(MAX_JSON_ANSWER_BYTES // 5 + 1)
    assert refused.value.accepted == {"max_bytes": MAX_JSON_ANSWER_BYTES}
    monkeypatch.setattr(module, "MAX_JSON_ANSWER_BYTES", 100_000)
    written = []
    monkeypatch.setattr(
        module, "numbers_as_json", lambda _: (written.append(1) or "9" * 1000 for _ in range(10_000))
    )
    with pytest.raises(AnswerError, match="longer than 100000 bytes"):
        json_answer((array((5,)),), ["x"], 1)
    assert len(written) <= 101


def test_a_thousand_classes_for_every_tensor_of_a_request_fit() -> None:
    assert MAX_JSON_ANSWER_BYTES > 64 * 1000 * 25
    assert MAX_REPLY_BYTES < MAX_JSON_ANSWER_BYTES
