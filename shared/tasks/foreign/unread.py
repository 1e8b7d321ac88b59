"""An answer of a task that this side does not know, as it came."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shared.network.recipe import Recipe

_REPLYS_OWN = ("frame_id", "fingerprint", "split_point", "task", "stages_ms", "received")


@dataclass(frozen=True, slots=True)
class Unread:
    """What a client without a network has of an answer whose task is another package's."""

    task: str
    said: Mapping[str, Any]
    """The reply, JSON as it was parsed."""

    def fields(self) -> dict[str, Any]:
        return {key: value for key, value in self.said.items() if key not in _REPLYS_OWN}

    def headline(self) -> str:
        """Nothing: what the fields mean is not known."""
        return ""

    def findings(self) -> tuple[()]:
        return ()

    def shows(self) -> tuple[()]:
        return ()

    def in_picture(self, recipe: Recipe, size: tuple[int, int]) -> Unread:
        """Itself: which of the fields are places is not known."""
        del recipe, size
        return self
