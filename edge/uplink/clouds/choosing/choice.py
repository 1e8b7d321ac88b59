"""Which of the clouds that could answer a frame is asked."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from edge.uplink.clouds.choosing.load import Load
    from edge.uplink.clouds.choosing.ramp import Ramp


class Choice(Protocol):
    """As much of a cloud as the choice depends on."""

    @property
    def load(self) -> Load: ...
    @property
    def ramp(self) -> Ramp: ...
    @property
    def is_paused(self) -> bool:
        """Whether it has asked to be left alone for a moment."""


_Choice = TypeVar("_Choice", bound=Choice)


def choose(
    clouds: Sequence[_Choice], draw: Callable[[Sequence[_Choice], int], list[_Choice]] = random.sample
) -> _Choice:
    """One of `clouds`, at least one: of two that are drawn, the one that is expected to answer sooner.

    Two choices (Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing", 2001) in place of the best of all: edges that do not
    know of each other would all send to the same one. A cloud that asked to be left alone gets a frame only if all have asked for
    that, and one that has just come back its share only (`Ramp`), unless all have.
    """
    if len(clouds) == 1:
        return clouds[0]
    ready = [each for each in clouds if not each.is_paused] or clouds
    allowed = [each for each in ready if each.ramp.allows()] or ready
    chosen = allowed[0]
    if len(allowed) > 1:
        one, other = draw(allowed, 2)
        chosen = other if other.load.expected_s < one.load.expected_s else one
    chosen.ramp.took()
    return chosen
