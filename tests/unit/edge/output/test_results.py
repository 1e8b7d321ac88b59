"""One record per frame, in order, exactly once; and the JSON that it becomes."""

from __future__ import annotations

import dataclasses
import json

from hypothesis import given
from hypothesis import strategies as st
from kits.edge import record

from edge.output.results import Record, Results
from shared.tasks.classify import Classes


@given(st.integers(0, 30).flatmap(lambda count: st.permutations(range(count))))
def test_any_order_comes_out_in_order(order):
    first, second = [], []
    results = Results([first.append, second.append])
    for done, sequence in enumerate(order):
        results.accept(sequence, record(sequence))
        together = set(order[: done + 1])
        assert len(first) == next(i for i in range(len(order) + 1) if i not in together), "as soon as can be"
    assert [each.frame for each in first] == list(range(len(order)))
    assert first == second


def test_dropped_frames_leave_gaps_in_the_numbers_only():
    seen = []
    results = Results([seen.append])
    for sequence, number in ((1, 7), (0, 3), (2, 20)):
        results.accept(sequence, record(number))
    assert [each.frame for each in seen] == [3, 7, 20]


def test_nothing_is_kept_of_what_was_given_away():
    results = Results([])
    for sequence in range(100):
        results.accept(sequence, record(sequence))
    assert results._early == {}


# --- as JSON ----------------------------------------------------------------------------------------------------------


def test_a_records_keys_are_its_fields_and_last_the_answers():
    """An interface: users and bench read them."""
    odd = record(
        1, fallback="late", answered_by="edge", top=[{"class_id": 1, "label": 'ü "x"\n', "probability": 0.1}]
    )
    line = odd.fields()
    assert list(line) == [
        "camera", "source", "file", "frame", "media_time_s", "damaged", "frame_id", "time", "network", "split_point", "codec",
        "payload_bytes", "latency_ms", "stages_ms", "answered_by", "cloud", "repeats", "changed", "fallback", "top",
    ]  # fmt: skip
    assert json.loads(json.dumps(line)) == line
    own = {name: value for name, value in line.items() if name != "top"}
    assert Record(**own, answer=Classes(tuple(line["top"]))) == odd


def test_a_record_without_an_answer_has_an_empty_list():
    assert record(2, top=[], answered_by="nobody").fields()["top"] == []


def test_another_tasks_answer_has_keys_of_its_own():
    class Boxes:
        def fields(self):
            return {"boxes": [[1, 2, 3, 4]], "labels": ["car"]}

    line = dataclasses.replace(record(3), answer=Boxes()).fields()
    assert list(line)[-3:] == ["fallback", "boxes", "labels"]
    assert line["labels"] == ["car"]
