"""The task by whose answers two ways of computing a network can be compared."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np

from shared.errors import ContentError
from shared.tasks.registry import make_task
from shared.tasks.spec import Wanted

if TYPE_CHECKING:
    from collections.abc import Callable

    from shared.engines.half import Tensors
    from shared.network.model import Model
    from shared.tasks.base import Task

_log = logging.getLogger(__name__)

_LOOKED_AT = 8
"""Pictures on which it is seen whether the answers hold anything."""
_THRESHOLDS = (None, 0.3, 0.1, 0.03, 0.01)
"""Those at which answers are compared: the network's own, or the first at which there is something to compare."""


def telling_task(model: Model, count: int, outputs_of: Callable[[int], Tensors]) -> Task:
    """The network's task, by whose answers two ways of computing it can be compared on `count` pictures.

    A detector may see nothing in them, above all in drawn ones, and then everything would agree. Its threshold is then lowered
    until there are boxes. `outputs_of` gives the network's outputs, each (1, …), for the picture of a number from 0 on; it is asked
    for the first one, and for no more than it takes.
    """
    outputs: list[Tensors] = []
    for number in range(0, count, max(1, count // _LOOKED_AT)):
        outputs.append(outputs_of(number))
        if _things(make_task(model, Wanted()), outputs) >= len(outputs) / 2:
            return make_task(model, Wanted())
    for threshold in _THRESHOLDS:
        task = make_task(model, Wanted(threshold=threshold))
        if _things(task, outputs) >= len(outputs) / 2:
            if threshold is not None:
                _log.warning(
                    "the network finds next to nothing in the pictures to survey with; agreement is of what it finds from a score "
                    "of %g",
                    threshold,
                )
            return task
    _log.warning("the network finds nothing in the pictures to survey with, so their agreement says nothing")
    return make_task(model, Wanted())


def _things(task: Task, outputs: list[Tensors]) -> float:
    """How many things the answers in these outputs hold, each of one frame; 0 if the task cannot read one of them."""
    together = stacked(outputs)
    try:
        return task.agreement(together, together).size
    except ContentError:
        return 0.0


def stacked(tensors: list[Tensors]) -> Tensors:
    """Those of single frames, each (1, …), as those of all."""
    return tuple(np.concatenate(each) for each in zip(*tensors, strict=True))


def single(outputs: Tensors, number: int) -> Tensors:
    """One frame's outputs, each (1, …), out of those of all, each (n, …)."""
    return tuple(each[number : number + 1] for each in outputs)
