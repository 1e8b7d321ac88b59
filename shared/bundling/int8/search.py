"""What of a network has to stay in float for its answers to be kept: a search of a bounded number of trials.

    1. The layers that see the picture stay in float: their inputs are few and wide, and cost little.
    2. If that keeps too few answers, so do those that give the outputs. It goes on with them if they gain something.
    3. Each of a few stretches of the network is left in float in turn. What each gains says where int8 hurts.
    4. The stretches are left in float together, those that gain most first, until enough answers are kept or half of them are in float.

A trial is judged on pictures that were not calibrated on. The figure that is told to the user is of still others: this search chooses
by the first, so they flatter.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

STRETCHES = 8


@dataclass(frozen=True)
class Setting:
    """What is left in float."""

    in_float: tuple[str, ...]
    """Names of operations."""
    what: str
    """For people."""


@dataclass(frozen=True)
class Trial:
    """A setting and how it did."""

    setting: Setting
    agreement: float
    """With the float network, 0 … 1."""
    divergence: float
    """Mean distance from the float network's outputs, in the task's unit."""

    @property
    def quality(self) -> tuple[float, float]:
        """Larger for the better one of two trials."""
        return self.agreement, -self.divergence


def search(
    first: Sequence[str],
    last: Sequence[str],
    stretches: Sequence[Sequence[str]],
    try_: Callable[[Setting], Trial],
    wanted: float,
) -> tuple[Trial, list[Trial]]:
    """The trial that keeps at least `wanted` of the answers with the least in float, or else the best one; and all trials in order.

    At most 2 + 8 + 3 trials for eight stretches.
    """
    start = try_(_left(first, [], "the first layers"))
    trials = [start]
    if start.agreement >= wanted or not stretches:
        return start, trials
    always, told = first, "the first layers"
    if set(last) - set(first):
        trial = try_(_left(first, [last], "the first and the last layers"))
        trials.append(trial)
        if trial.agreement >= wanted:
            return trial, trials
        if trial.quality > start.quality:
            always, told = [*first, *last], "the first and the last layers"
    alone = []
    for number, stretch in enumerate(stretches):
        trial = try_(_left(always, [stretch], f"{told} and stretch {number + 1} of {len(stretches)}"))
        trials.append(trial)
        alone.append((trial.divergence, number))
        if trial.agreement >= wanted:  # one stretch is the least that can be left
            return trial, trials
    ranked = [number for _, number in sorted(alone)]
    for count in range(2, len(stretches) // 2 + 1):
        chosen = sorted(ranked[:count])
        names = ", ".join(str(number + 1) for number in chosen)
        trial = try_(
            _left(
                always,
                [stretches[number] for number in chosen],
                f"{told} and stretches {names} of {len(stretches)}",
            )
        )
        trials.append(trial)
        if trial.agreement >= wanted:
            return trial, trials
    return max(trials, key=lambda trial: trial.quality), trials


def _left(first: Sequence[str], stretches: Sequence[Sequence[str]], what: str) -> Setting:
    return Setting(tuple(dict.fromkeys([*first, *(name for each in stretches for name in each)])), what)
