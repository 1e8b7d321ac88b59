"""What makes probabilities of a classifier's outputs: softmax, sigmoid, or nothing."""

from __future__ import annotations

import numpy as np
import pytest
from kits.naming import naming

from shared.errors import ContentError
from shared.tasks.classify import Classify

LABELS = ("cat", "dog", "fox")


def probabilities(task: Classify, values: list[float]) -> dict[str, float]:
    top = task.answer((np.array(values, np.float32),)).top
    return {each["label"]: each["probability"] for each in top}


def test_a_sigmoid_judges_each_class_for_itself() -> None:
    found = probabilities(Classify(LABELS, 3, "sigmoid"), [2.0, -1.0, 3.0])
    expected = {name: 1 / (1 + np.exp(-value)) for name, value in zip(LABELS, (2, -1, 3), strict=True)}
    assert list(found) == ["fox", "cat", "dog"]
    assert found == pytest.approx(expected, abs=1e-6)
    far = probabilities(Classify(LABELS, 3, "sigmoid"), [-1e4, 0, 1e4])
    assert far == {"fox": 1.0, "dog": 0.5, "cat": 0.0}


def test_probabilities_stay_what_they_are() -> None:
    found = probabilities(Classify(LABELS, 3, "none"), [0.25, 0.7, 0.05])
    assert found == pytest.approx({"dog": 0.7, "cat": 0.25, "fox": 0.05}, abs=1e-6)
    assert probabilities(Classify(LABELS, 3, "none"), [1, -1e-9, 0])["dog"] == 0


def test_a_single_class_is_not_always_certain() -> None:
    for activation in ("softmax", "sigmoid"):
        with naming(activation):
            task = Classify(["cat"], 5, activation)
            found = [probabilities(task, [value])["cat"] for value in (-2.0, 0.0, 2.0)]
            assert found == pytest.approx([0.119203, 0.5, 0.880797], abs=1e-6)
    assert probabilities(Classify(["cat"], 5, "none"), [0.25]) == {"cat": 0.25}


def test_a_single_class_agrees_on_the_same_side_of_one_half() -> None:
    for activation, expected, found in (
        ("softmax", [2, -1, 0.1, -3], [0.5, 1, -0.1, -0.1]),
        ("sigmoid", [2, -1, 0.1, -3], [0.5, 1, -0.1, -0.1]),
        ("none", [0.9, 0.4, 0.6, 0.1], [0.51, 0.6, 0.4, 0.4]),
    ):
        outputs = [(np.array(values, np.float32)[:, None],) for values in (expected, found)]
        with naming(activation):
            assert Classify(["cat"], 1, activation).agreement(*outputs).matched.tolist() == [1, 0, 0, 1]


def test_divergence_is_that_of_the_probabilities() -> None:
    rng = np.random.default_rng(0)
    p, q = (rng.dirichlet(np.ones(3), 4) for _ in range(2))
    one_of_all = (p * np.log(p / q)).sum(1)
    each = (p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q))).sum(1)
    logits = [np.log(values / (1 - values)) for values in (p, q)]
    halves = (p / 2, q / 2)
    of_halves = (p / 2 * np.log(p / q) + (1 - p / 2) * np.log((1 - p / 2) / (1 - q / 2))).sum(1)
    for activation, outputs, expected in (
        ("softmax", (np.log(p), np.log(q)), one_of_all),
        ("sigmoid", logits, each),
        ("none", (p, q), one_of_all),
        ("none", halves, of_halves),
    ):
        first, second = ((values.astype(np.float32),) for values in outputs)
        task = Classify(LABELS, 1, activation)
        with naming(activation):
            np.testing.assert_allclose(task.divergence(first, second), expected, rtol=1e-3, atol=1e-6)
            assert (task.divergence(first, first) == 0).all()


def test_divergence_is_finite_where_a_probability_is_zero() -> None:
    zero, one = (np.array([values], np.float32) for values in ([0, 1, 0], [1, 0, 0]))
    for activation in ("none", "sigmoid", "softmax"):
        found = Classify(LABELS, 1, activation).divergence((zero * 1e4,), (one * 1e4,))
        with naming(activation):
            assert np.isfinite(found).all()
            assert (found > 1).all()


def test_classes_may_have_dimensions_of_one_after_them() -> None:
    """Classifiers that end with a convolution and a pooling answer (B, K, 1, 1)."""
    values = np.array([1, 3, 2], np.float32).reshape(3, 1, 1)
    task = Classify(LABELS, 2)
    assert task.answer((values,)).headline() == "dog"
    assert task.agreement((values[None],), (-values[None],)).matched.tolist() == [0]
    assert (task.divergence((values[None],), (-values[None],)) > 0).all()


def test_further_outputs_are_not_looked_at() -> None:
    values, other = np.array([1, 3, 2], np.float32), np.full((7, 7), np.nan, np.float32)
    assert Classify(LABELS, 2).answer((values, other)) == Classify(LABELS, 2).answer((values,))


def test_a_value_far_above_one_is_no_probability() -> None:
    """The user said that the graph ends with probabilities, and it does not."""
    task = Classify(LABELS, 3, "none")
    assert probabilities(task, [1.009, 0, 0]) == {LABELS[0]: 1.0, LABELS[1]: 0.0, LABELS[2]: 0.0}
    with pytest.raises(ContentError, match=r"a probability of 8\.25: the task needs an activation, not none"):
        task.answer((np.array([8.25, 0, 0], np.float32),))


def test_another_number_of_values_is_no_answer() -> None:
    with pytest.raises(ContentError, match="has 4 values, one for each class"):
        Classify(LABELS, 2).answer((np.zeros(4, np.float32),))
