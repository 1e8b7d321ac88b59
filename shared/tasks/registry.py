"""The task that a network's bundle names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shared.tasks.classify import Classify
from shared.tasks.raw import Raw

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shared.network.model import Model
    from shared.tasks.base import Answer, Task
    from shared.tasks.spec import Wanted


def make_task(model: Model, wanted: Wanted) -> Task:
    """The network's task, which gives the answers that are `wanted`."""
    if model.task.name == "raw":
        return Raw(model.outputs)
    return Classify(model.labels, wanted.top, model.task.activation)


def read_answer(fields: Mapping[str, Any]) -> Answer:
    """The answer in a reply's JSON object, of any task, for clients that have no network: it keeps the names that come with it.

    Raises ValueError, TypeError, KeyError, AttributeError or OverflowError for anything that is not an answer.
    """
    task = Classify(None, 1) if "top" in fields else Raw(None)
    return task.parse(fields)
