"""How much errors in channels and at positions matter, from runs of the tail alone; a tail of known Fisher information is the oracle."""

from __future__ import annotations

import numpy as np
from kits.naming import naming
from kits.profiles import features

from edge.calibration.importance import LEAST, RUNS, estimate_importance
from shared.codecs.calibrated.grid import to_grid
from shared.tasks.classify import Classify
from shared.tasks.raw import Raw

SHAPE = (12, 5, 6)
CLASSES = 8
TASK_LABELS = [f"class {number}" for number in range(CLASSES)]
TASK = Classify(TASK_LABELS, 1)
TENSORS = features(SHAPE, 40)


class Linear:
    """Logits that are linear in the crossing, with channels and positions that matter more and less."""

    def __init__(self, shape=SHAPE, classes=CLASSES, seed=3):
        rng = np.random.default_rng(seed)
        grid = to_grid(np.empty(shape)).shape
        self.spread = np.exp(rng.uniform(-1.2, 1.2, grid[2])), np.exp(rng.uniform(-1.2, 1.2, grid[:2]))
        weights = rng.normal(0, 0.05, (classes, *grid)) * self.spread[0] * self.spread[1][..., None]
        self.weights = weights.reshape(classes, -1)
        self.pictures = 0

    def __call__(self, tensors):
        (batch,) = tensors
        self.pictures += len(batch)
        return (np.stack([self.weights @ to_grid(tensor).ravel() for tensor in batch]).astype(np.float32),)

    def fisher(self, tensors):
        """Its diagonal, the mean over the tensors: the variance of the logits' gradients under the answer, (rows, columns, C)."""
        total = 0.0
        for tensor in tensors:
            (logits,) = self((tensor[None],))
            p = np.exp(logits[0] - logits.max())[:, None]
            p /= p.sum()
            total = total + (p * self.weights**2).sum(0) - (p * self.weights).sum(0) ** 2
        return total.reshape(to_grid(tensors[0]).shape)


def only(tail, task, tensors):
    """The importance where one tensor crosses."""
    (found,) = estimate_importance(tail, task, [tensors])
    return found


def ranks(values):
    return values.ravel().argsort().argsort()


def alike(found, expected):
    """The rank correlation, and how far the step sizes that follow are from the right ones at most, as a factor."""
    scales = [values**-0.25 / np.exp(np.log(values**-0.25).mean()) for values in (found, expected)]
    return np.corrcoef(ranks(found), ranks(expected))[0, 1], np.exp(
        np.abs(np.log(scales[0] / scales[1])).max()
    )


def test_noise_finds_the_fisher_information():
    tail = Linear()
    expected = tail.fisher(TENSORS)
    found = only(tail, TASK, TENSORS)
    assert (found.how, found.pooled) == ("noise", False)
    assert (found.channels.shape, found.positions.shape) == ((12,), (5, 6))
    for what, estimate, exact in (
        ("channels", found.channels, expected.mean((0, 1))),
        ("positions", found.positions, expected.mean(2)),
    ):
        correlation, factor = alike(estimate.astype(np.float64), exact)
        with naming(what, correlation, factor):
            assert correlation > 0.9
            assert factor < 1.4
            assert exact.max() > 10 * exact.min(), "or nothing was shown"


def test_the_same_input_gives_the_same_estimate():
    first, again = (only(Linear(), TASK, TENSORS) for _ in range(2))
    np.testing.assert_array_equal(first.channels, again.channels)
    np.testing.assert_array_equal(first.positions, again.positions)


def test_what_the_tail_does_not_look_at_does_not_matter():
    def half_blind(tensors):
        (batch,) = tensors
        return (batch[:, :6, :, :3].reshape(len(batch), -1)[:, :CLASSES],)

    for task in (
        TASK,
        Classify(TASK_LABELS, 1, "sigmoid"),
        Classify(TASK_LABELS, 1, "none"),
        Raw(["output"]),
    ):
        found = only(half_blind, task, TENSORS)
        with naming(task.name):
            assert found.channels[6:].max() < found.channels[0]
            assert found.positions[:, 3:].max() < found.positions[0, 0]
            assert np.isfinite(found.channels).all()
            assert found.channels.min() >= 0
            assert found.positions.min() >= 0


def test_a_tail_that_begins_with_a_mean_is_recognised():
    matrix = np.random.default_rng(0).normal(size=(12, CLASSES)).astype(np.float32)
    for task in (TASK, Raw(["output"])):
        found = only(lambda tensors: (tensors[0].mean((2, 3)) @ matrix,), task, TENSORS)
        with naming(task.name):
            assert found.pooled
            assert (found.positions == 1).all()
    assert not only(lambda tensors: (tensors[0].max((2, 3)) @ matrix,), TASK, TENSORS).pooled


def test_tensors_of_every_kind_have_an_importance():
    for shape, channels, positions in (((9,), 9, (1, 1)), ((7, 9), 9, (1, 7)), ((3, 2, 4, 5), 20, (3, 2)), ((2, 30, 17), 2, (30, 17))):  # fmt: skip
        found = only(Linear(shape), TASK, features(shape, 5))
        with naming(shape):
            assert (found.channels.shape, found.positions.shape) == ((channels,), positions)
            assert found.channels.max() > 0
            assert not found.pooled


def test_dead_tensors_and_tails_that_never_change_have_even_importance():
    for tensors, tail in (
        ([np.zeros(SHAPE, np.float32)] * 4, Linear()),
        (TENSORS[:4], lambda tensors: (np.ones((len(tensors[0]), CLASSES), np.float32),)),
    ):
        found = only(tail, TASK, tensors)
        assert np.isfinite(found.channels).all()
        assert np.isfinite(found.positions).all()


def test_the_tail_runs_no_more_often_than_is_said():
    tail = Linear((600, 2, 2), 3)
    task = Classify(["a", "b", "c"], 1)
    only(tail, task, features((600, 2, 2), 150))
    per_frame = 3 * 100 + 1
    assert tail.pictures <= per_frame + max(RUNS, LEAST * 600) + RUNS


def test_large_answers_are_kept_of_fewer_frames(monkeypatch):
    monkeypatch.setattr("edge.calibration.importance._MAX_ANSWER_BYTES", 10 * 4 * CLASSES)
    tail = Linear()
    found = only(tail, TASK, TENSORS)
    everything = Linear()
    monkeypatch.undo()
    only(everything, TASK, TENSORS)
    assert everything.pictures - tail.pictures == 3 * 30
    assert found.channels.shape == (12,)
