"""How much an error in each channel and at each position of a crossing changes the answer.

That is the diagonal of the Fisher information F of the answer with respect to the tensor. With torch and the network's source at
hand it comes from gradients (edge/calibration/gradients.py). Without, it is estimated from the tail alone: if x is disturbed by
noise e of random signs and amplitude a in some elements, then KL(p(x) || p(x + e)) is about e'Fe / 2, whose mean over the signs is
a² / 2 times the sum of F's diagonal over these elements.
"""

from __future__ import annotations

import itertools
import logging
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edge.calibration.gradients import squares_of_gradients
from shared.codecs.calibrated.grid import from_grid, to_grid
from shared.errors import ModelError
from shared.tasks.classify import Classify
from shared.tasks.registry import make_task
from shared.tasks.spec import Wanted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from shared.engines.half import Half, Tensors
    from shared.network.bundle import Bundle
    from shared.network.partition import SplitPoint
    from shared.tasks.base import Task

_log = logging.getLogger(__name__)

AMPLITUDE = 0.5
"""Size of the noise, in typical magnitudes of a channel: about the error of a quantised tensor."""
RUNS = 2048
"""Pictures that the tail is run on for the channels of all tensors, and again for the positions: about so many, and at least LEAST for
each of them."""
LEAST, MOST = 2, 64
"""Disturbances of each channel, and of each block of positions."""
_BLOCKS = 14
"""Blocks of positions along each side, at most."""
_MAX_FRAMES = 100
_MAX_ANSWER_BYTES = 64 << 20
"""Tail runs for all frames together; fewer frames are used if theirs are larger."""
_BATCH = 8
_POOLED = 1e-3
_LEAST_SHARE = 1e-3
_SMALLEST = 1e-30


@dataclass(frozen=True)
class Importance:
    """How much an error changes the answer, up to a factor: the diagonal of the Fisher information."""

    channels: NDArray[np.float32]  # (C,)
    positions: NDArray[np.float32]  # (rows, columns)
    pooled: bool = False
    """Whether only the mean over the positions matters, because the tail begins with it."""
    how: str = "gradients"
    """What it was measured by: `gradients` or `noise`."""
    worth: float = 1.0
    """The mean over all elements of the tensor, on one scale for all tensors of a crossing."""


def measure_importance(
    bundle: Bundle, point: SplitPoint, tail: Half, crossing: Sequence[Sequence[NDArray[np.float32]]]
) -> list[Importance]:
    """The importance of channels and positions of each tensor at `point`, by gradients if possible, else by noise; the log says by which.

    `tail` is the running tail; `crossing` has for each tensor those of all frames, float32 without the batch dimension; at most 100
    frames are used.
    """
    task = make_task(bundle.model, Wanted())
    reason: object = "the outputs are not the logits of one class among several"
    if isinstance(task, Classify) and task.activation == "softmax":
        try:
            return [
                Importance(squares.mean((0, 1)), squares.mean(2), pooled=pooled, worth=float(squares.mean()))
                for squares, pooled in squares_of_gradients(bundle, point, tail, crossing)
            ]
        except ModelError as error:
            reason = error
    _log.info("importance of channels and positions is measured by noise, not by gradients: %s", reason)
    return estimate_importance(tail, task, crossing)


def estimate_importance(
    tail: Half, task: Task, crossing: Sequence[Sequence[NDArray[np.float32]]]
) -> list[Importance]:
    """From runs of the tail alone: the same input gives the same estimate.

    `crossing` has for each tensor those of all frames, float32 without the batch dimension; at most 100 frames are used.
    """
    answer_bytes = sum(output.nbytes for output in tail(tuple(tensors[0][None] for tensors in crossing)))
    most = max(1, min(_MAX_FRAMES, _MAX_ANSWER_BYTES // answer_bytes))
    every = math.ceil(len(crossing[0]) / most)
    chosen = [np.stack([np.asarray(each, np.float32) for each in tensors[::every]]) for tensors in crossing]
    answers = run(tail, chosen)
    return [_Estimate(tail, task, chosen, answers, number).importance() for number in range(len(chosen))]


def run(tail: Half, crossing: Sequence[NDArray[np.float32]]) -> Tensors:
    """The outputs for tensors each (n, …), in batches, copied."""
    batches = []
    for start in range(0, len(crossing[0]), _BATCH):
        some = tuple(tensors[start : start + _BATCH] for tensors in crossing)
        batches.append(tuple(np.array(output) for output in tail(some)))
    return tuple(np.concatenate(outputs) for outputs in zip(*batches, strict=True))


class _Estimate:
    """The estimate for one tensor; the others of its crossing stay as they are."""

    def __init__(
        self,
        tail: Half,
        task: Task,
        crossing: Sequence[NDArray[np.float32]],
        answers: Tensors,
        number: int,
    ) -> None:
        self._tail, self._task, self._answers = tail, task, answers
        self._crossing, self._number = crossing, number
        self._shape = crossing[number].shape[1:]
        self._grids = np.stack([to_grid(tensor) for tensor in crossing[number]])
        self._runs = RUNS // len(crossing)
        self._rng = np.random.default_rng(0)
        sizes = np.sqrt((self._grids.astype(np.float64) ** 2).mean((0, 1, 2)))
        sizes = np.maximum(sizes, max(1e-6 * float(sizes.max()), _SMALLEST))
        self._amplitude = np.float32(AMPLITUDE * np.exp(np.log(sizes).mean()))

    def importance(self) -> Importance:
        frames, rows, columns, channels = self._grids.shape
        numbers = np.arange(frames)
        whole = self._costs(numbers, [(slice(None),) * 3] * frames)
        means = np.broadcast_to(self._grids.mean((1, 2), keepdims=True), self._grids.shape)
        pooled = rows * columns > 1 and self._change(numbers, means).sum() < _POOLED * whole.sum()
        found = self._by_group(
            [(slice(None), slice(None), slice(each, each + 1)) for each in range(channels)], whole
        )
        positions = np.ones((rows, columns), np.float32)
        if not pooled and rows * columns > 1:
            blocks = [(down, across, slice(None)) for down in _cuts(rows) for across in _cuts(columns)]
            for block, cost in zip(blocks, self._by_group(blocks, whole), strict=True):
                positions[block[:2]] = cost
        worth = float(whole.mean()) / (float(self._amplitude) ** 2 * rows * columns * channels)
        return Importance(found.astype(np.float32), positions, pooled=bool(pooled), how="noise", worth=worth)

    def _by_group(
        self, groups: list[tuple[slice, slice, slice]], whole: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """What noise in each group costs for each of its elements, as a share of what it costs everywhere.

        It is a ratio of sums over the frames that a group was tried on. So it does not matter that some frames' answers are far
        more easily changed than others'.
        """
        frames, tries = len(self._grids), min(MOST, max(LEAST, self._runs // len(groups)))
        numbers = np.arange(len(groups)) + np.arange(tries)[:, None] * max(1, frames // tries)
        numbers = numbers.ravel() % frames
        costs, usual = self._costs(numbers, groups * tries), whole[numbers]
        costs /= [self._grids[0][group].size for group in groups] * tries
        costs, usual = (values.reshape(tries, len(groups)) for values in (costs, usual))
        # What two halves of the tries agree on is real (Spearman-Brown); what the logarithms differ by beyond that is taken out.
        logs = _logs(costs.sum(0), usual.sum(0))
        halves = [_logs(costs[half::2].sum(0), usual[half::2].sum(0)) for half in (0, 1)]
        spread = math.sqrt(float(halves[0].var() * halves[1].var()))
        common = float(((halves[0] - halves[0].mean()) * (halves[1] - halves[1].mean())).mean())
        alike = min(1.0, max(0.0, common / max(spread, _SMALLEST)))
        found: NDArray[np.float64] = np.exp(logs.mean() + 2 * alike / (1 + alike) * (logs - logs.mean()))
        return found

    def _costs(
        self, numbers: NDArray[np.intp], groups: Sequence[tuple[slice, slice, slice]]
    ) -> NDArray[np.float64]:
        """What noise in a group of elements changes in the answer to a frame, for each pair of a frame's number and a group."""
        found = []
        for start in range(0, len(numbers), _BATCH):
            some = numbers[start : start + _BATCH]
            disturbed = self._grids[some]
            for grid, group in zip(disturbed, groups[start : start + _BATCH], strict=True):
                part = grid[group]
                part += self._amplitude * (2 * self._rng.integers(0, 2, part.shape, np.int8) - 1)
            found.append(self._change(some, disturbed))
        return np.concatenate(found)

    def _change(self, numbers: NDArray[np.intp], grids: NDArray[np.float32]) -> NDArray[np.float64]:
        """How far the answers to `grids` are from those to the frames of these numbers, (n,)."""
        expected = tuple(answers[numbers] for answers in self._answers)
        given = [tensors[numbers] for tensors in self._crossing]
        given[self._number] = np.stack([from_grid(grid, self._shape) for grid in grids])
        found = self._task.divergence(expected, run(self._tail, given))
        return found**2 if self._task.squares else found


def _logs(costs: NDArray[np.float64], usual: NDArray[np.float64]) -> NDArray[np.float64]:
    """The logarithms of shares."""
    shares = costs / np.maximum(usual, _SMALLEST)
    logs: NDArray[np.float64] = np.log(np.maximum(shares, _LEAST_SHARE * shares.mean() + _SMALLEST))
    return logs


def _cuts(length: int) -> list[slice]:
    """`length` positions in blocks, as equal as possible."""
    bounds = np.linspace(0, length, min(length, _BLOCKS) + 1).round().astype(int)
    return [slice(low, high) for low, high in itertools.pairwise(bounds.tolist())]
