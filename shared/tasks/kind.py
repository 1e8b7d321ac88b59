"""What the rest of SplitDNN knows of each task."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from shared.network.model import Model
    from shared.tasks.base import Task
    from shared.tasks.seen import Seen
    from shared.tasks.spec import Option, TaskSpec, Wanted


@dataclass(frozen=True)
class Kind:
    """A task that is built in."""

    make: Callable[[Model, Wanted], Task]
    """The task of a network, which gives the answers that are wanted. Raises ModelError for options that make no sense."""
    reader: Callable[[], Task]
    """One that only reads answers, for clients that have no network: it keeps the names that come with them."""
    key: str
    """The key of a reply that is only in answers of this task."""
    recognise: Callable[[Seen], list[TaskSpec]]
    """Each way in which this task can read the outputs: one if that is beyond doubt, several if more than one is as good."""
    told: Callable[[Seen, Mapping[str, Option]], TaskSpec]
    """The task as a user wants it. Raises ValueError, one line, if the outputs are not for it."""
    classes: Callable[[TaskSpec, Seen], int | None]
    """How many classes need a name; None if the outputs do not tell."""
    assumed: Callable[[TaskSpec, Seen], str | None]
    """What `recognise` took for granted, for a note; None if nothing was."""
