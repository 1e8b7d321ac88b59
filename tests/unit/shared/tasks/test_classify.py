"""The task `classify`: answers from logits, answers that came over the network, and how two outputs compare."""

from __future__ import annotations

import dataclasses
import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kits.naming import naming

from shared.errors import ContentError
from shared.tasks.classify import Classes, Classify, divergences, top_classes

LABELS = ("cat", "dog", "fox", "owl")
TASK = Classify(LABELS, 2)
LOGITS = np.log(np.array([0.1, 0.4, 0.2, 0.3], np.float32))


def test_an_answer_names_the_most_probable_classes_first() -> None:
    answer = TASK.answer((LOGITS,))
    assert [(each["class_id"], each["label"]) for each in answer.top] == [(1, "dog"), (3, "owl")]
    assert [each["probability"] for each in answer.top] == pytest.approx([0.4, 0.3], abs=1e-6)
    assert answer.headline() == "dog"
    assert answer.fields() == {"top": list(answer.top)}
    assert answer.findings() == [("dog", answer.top[0]["probability"]), ("owl", answer.top[1]["probability"])]


def test_an_answer_has_no_more_classes_than_the_network() -> None:
    assert len(Classify(LABELS, 99).answer((LOGITS,)).top) == len(LABELS)


def test_classes_of_equal_logits_come_in_their_order() -> None:
    found = top_classes(np.zeros(4, np.float32), LABELS, 3)
    assert [each["class_id"] for each in found] == [0, 1, 2]
    assert {each["probability"] for each in found} == {0.25}


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=40), st.integers(1, 50))
def test_the_first_few_are_those_of_all_in_order(logits: list[int], count: int) -> None:
    values = np.array(logits, np.float32)
    found = [each["class_id"] for each in top_classes(values, [""] * len(values), count)]
    assert found == sorted(range(len(values)), key=lambda index: (-values[index], index))[:count]


@settings(deadline=None)
@given(st.lists(st.floats(-(2.0**100), 2.0**100, width=32), min_size=4, max_size=4))
def test_probabilities_of_any_finite_logits_sum_to_one(values: list[float]) -> None:
    found = Classify(LABELS, 4).answer((np.array(values, np.float32),)).top
    assert math.fsum(each["probability"] for each in found) == pytest.approx(1, abs=1e-5)
    assert [each["probability"] for each in found] == sorted(
        (each["probability"] for each in found), reverse=True
    )


def test_outputs_that_are_not_finite_are_no_answer() -> None:
    for value in (np.nan, np.inf, -np.inf):
        logits = LOGITS.copy()
        logits[2] = value
        with naming(value), pytest.raises(ContentError, match="not finite"):
            TASK.answer((logits,))


def test_an_answer_is_a_value_that_nobody_changes() -> None:
    answer = TASK.answer((LOGITS,))
    assert answer == TASK.answer((LOGITS,))
    assert answer != TASK.answer((-LOGITS,))
    with pytest.raises(dataclasses.FrozenInstanceError):
        answer.top = ()  # type: ignore[misc]


def test_no_answer_has_no_headline() -> None:
    assert (Classes().headline(), Classes().fields(), Classes().findings()) == ("", {"top": []}, [])


# --- answers that came over the network -------------------------------------------------------------------------------


def test_an_answer_that_travelled_is_the_same() -> None:
    answer = TASK.answer((LOGITS,))
    assert TASK.parse(json.loads(json.dumps(answer.fields()))) == answer


def test_what_is_no_answer_is_refused() -> None:
    good = {"class_id": 1, "label": "dog", "probability": 0.5}
    for top in (
        [],
        None,
        3,
        "dog",
        [None],
        [{}],
        [good | {"class_id": -1}],
        [good | {"class_id": 4}],
        [good | {"class_id": 1.0}],
        [good | {"class_id": True}],
        [good, good],
        [good | {"class_id": "x"}],
        [good | {"class_id": None}],
        [good | {"class_id": math.inf}],
        [good | {"probability": -0.1}],
        [good | {"probability": math.nan}],
        [good | {"probability": math.inf}],
        [good | {"probability": "high"}],
        [good, good | {"probability": None}],
    ):
        refused = (ValueError, TypeError, KeyError, AttributeError, OverflowError)
        with naming(top), pytest.raises(refused):
            TASK.parse({"top": top})
    with pytest.raises(KeyError):
        TASK.parse({})


def test_a_class_has_the_name_that_this_side_gives_it() -> None:
    """Two sides with other files of labels: the class counts, and the edge's user reads the edge's names."""
    for label in ("hen", 7, "\ud800"):
        found = TASK.parse({"top": [{"class_id": 1, "label": label, "probability": 0.5}]})
        assert found.top == ({"class_id": 1, "label": "dog", "probability": 0.5},)
    assert TASK.parse({"top": [{"class_id": 3, "probability": 0.5}]}).headline() == "owl"


def test_who_has_no_names_takes_those_that_come() -> None:
    reader = Classify(None, 1)
    good = {"class_id": 1, "label": "hen", "probability": 0.5}
    assert reader.parse({"top": [good]}).headline() == "hen"
    for label in (7, None, "\ud800"):
        with naming(label), pytest.raises((ValueError, AttributeError)):
            reader.parse({"top": [good | {"label": label}]})


# --- two outputs ------------------------------------------------------------------------------------------------------


def test_outputs_agree_where_their_top_classes_do() -> None:
    expected = np.array([[0, 1, 2], [2, 1, 0], [0, 5, 0]], np.float32)
    found = np.array([[0, 0, 9], [1, 2, 0], [1, 2, 1]], np.float32)
    assert TASK.agreement((expected,), (found,)).matched.tolist() == [1, 0, 1]


def test_divergence_is_zero_for_what_differs_by_a_constant_and_positive_otherwise() -> None:
    expected = np.random.default_rng(0).normal(0, 3, (5, 7)).astype(np.float32)
    np.testing.assert_allclose(TASK.divergence((expected,), (expected + 4,)), 0, atol=1e-9)
    assert (TASK.divergence((expected,), (-expected,)) > 0.01).all()


def test_divergence_of_two_known_distributions() -> None:
    p, q = np.array([0.5, 0.25, 0.25]), np.array([0.25, 0.5, 0.25])
    found = divergences(np.log(p)[None].astype(np.float32), np.log(q)[None].astype(np.float32))
    assert found.tolist() == pytest.approx([(p * np.log(p / q)).sum()], rel=1e-6)
