"""How two answers of the task `classify` are compared, and what is said of one."""

from __future__ import annotations

import numpy as np
import pytest

from shared.tasks.classify import Classes, Classify

TASK = Classify(["hen", "ox", "cat"], 2)


def test_divergence_is_that_of_two_distributions():
    logits = np.log(np.array([[0.5, 0.25, 0.25]], np.float32))
    given = np.log(np.array([[0.25, 0.5, 0.25]], np.float32))
    assert TASK.divergence((logits,), (given,)) == pytest.approx([0.25 * np.log(2)], abs=1e-6)
    assert TASK.divergence((logits,), (logits + 3,)) == pytest.approx([0], abs=1e-6)


def test_answers_agree_if_their_top_class_is_the_same():
    expected = np.array([[3, 1, 2], [0, 1, 0], [5, 5, 1]], np.float32)
    found = np.array([[9, 8, 8.9], [1, 0, 0], [5, 5, 9]], np.float32)
    assert TASK.agreement((expected,), (found,)).matched.tolist() == [1.0, 0.0, 0.0]
    assert TASK.agreement((expected,), (expected,)).matched.tolist() == [1.0] * 3


def test_an_answer_has_a_headline_and_findings_in_its_order():
    answer = TASK.answer((np.log(np.array([0.25, 0.6, 0.15], np.float32)),))
    assert answer.headline() == "ox"
    assert answer.findings() == [("ox", pytest.approx(0.6)), ("hen", pytest.approx(0.25))]
    assert (Classes().headline(), Classes().findings()) == ("", [])
