"""Where the places of an answer lie in a camera's picture of which the network saw a part only."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

from shared.network.recipe import Recipe

if TYPE_CHECKING:
    from edge.cameras.shapes import Part
    from shared.network.recipes.placement import Placement


@dataclass(frozen=True)
class _PartRecipe(Recipe):
    """A recipe that is given a part of each picture."""

    part: Part | None = None

    def placement(self, height: int, width: int) -> Placement:
        part = self.part
        if part is None:
            return super().placement(height, width)
        inner = super().placement(part.height, part.width)
        return replace(inner, top=inner.top + part.top, left=inner.left + part.left)


@lru_cache(maxsize=256)
def of_part(recipe: Recipe, part: Part | None) -> Recipe:
    """The recipe by which answers find their places in the whole picture, if the network was given `part` of it; None: all."""
    return _PartRecipe(**recipe.fields(), part=part) if part else recipe
