"""What a client without a network makes of a reply: the answer of the task that it names, or what its keys say."""

from __future__ import annotations

from typing import Any

import pytest
from kits.naming import naming

from shared.tasks.classify import Classes
from shared.tasks.foreign.unread import Unread
from shared.tasks.raw import Outputs
from shared.tasks.registry import KINDS, read_answer

TOP = [{"class_id": 70, "label": "hen", "probability": 0.5}]
OUTPUT = {"name": "boxes", "shape": [4], "min": 0.0, "max": 1.0, "mean": 0.5}
REPLY = {"frame_id": 7, "fingerprint": "00" * 8, "split_point": "neck", "stages_ms": {}, "received": {}}


def test_the_task_that_a_reply_names_is_read_whatever_else_it_holds() -> None:
    both: dict[str, Any] = {**REPLY, "top": TOP, "outputs": [OUTPUT]}
    assert isinstance(read_answer(both | {"task": "classify"}), Classes)
    assert isinstance(read_answer(both | {"task": "raw"}), Outputs)
    for name, kind in KINDS.items():
        with naming(name), pytest.raises((KeyError, TypeError, ValueError)):
            read_answer({**REPLY, "task": name})
        assert kind.key not in REPLY


def test_an_older_clouds_reply_is_known_by_its_keys() -> None:
    assert isinstance(read_answer({**REPLY, "top": TOP}), Classes)
    assert isinstance(read_answer({**REPLY, "outputs": [OUTPUT]}), Outputs)


def test_the_answer_of_another_packages_task_is_kept_as_it_came() -> None:
    answer = read_answer({**REPLY, "task": "count", "people": 3, "top": "floor"})
    assert answer == Unread("count", {**REPLY, "task": "count", "people": 3, "top": "floor"})
    assert answer.fields() == {"people": 3, "top": "floor"}
    assert (answer.headline(), tuple(answer.findings()), tuple(answer.shows())) == ("", (), ())


def test_what_names_no_task_is_refused() -> None:
    for name in (7, [], {}, True, "\ud800"):
        with naming(name), pytest.raises((AttributeError, TypeError, ValueError)):
            read_answer({**REPLY, "task": name, "top": TOP})
