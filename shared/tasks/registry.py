"""The task that a network's bundle names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.tasks.classify import Classify
from shared.tasks.raw import Raw

if TYPE_CHECKING:
    from shared.network.model import Model
    from shared.tasks.base import Task


def make_task(model: Model, top: int) -> Task:
    """The network's task; an answer of `classify` names the `top` most probable classes, or all if there are fewer."""
    if model.task.name == "raw":
        return Raw(model.outputs)
    return Classify(model.labels, top, model.task.activation)


def reading_task(name: str) -> Task:
    """A task that only reads answers, for clients that have no network: it takes the names that come with an answer.

    Raises ValueError for a task that this version does not know.
    """
    if name == "classify":
        return Classify(None, 1)
    if name == "raw":
        return Raw(None)
    raise ValueError(f"task {name!r}; accepted: classify, raw")
