"""Choices of engines in the disk cache, for the next start on the same machine."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shared.process.cache.folder import Cache, key_of

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

_PATIENCE_S = 20.0
"""For a turn: twice what compiling and timing takes of a large network."""


@dataclass(frozen=True)
class Remembered:
    """What an earlier start chose."""

    candidate: tuple[str, str]
    """Engine and precision."""
    choice: dict[str, Any]
    """As in `Engine.choice`."""


class ChoiceStore:
    """Keeps choices under everything that they depend on."""

    def __init__(self, cache_dir: str, *circumstances: str) -> None:
        """`circumstances`: network, half, machine and versions. `cache_dir` "" keeps nothing."""
        self._cache = Cache(cache_dir)
        self._circumstances = circumstances

    def read(self, candidates: list[tuple[str, str]]) -> Remembered | None:
        """The choice among these candidates, if there was one and it can be used."""
        kept = self._cache.load_json(self._name(candidates))
        if not isinstance(kept, dict):  # none, or of an earlier version
            return None
        chosen, choice = kept.get("chosen"), kept.get("choice")
        found = [each for each in candidates if "/".join(each) == chosen]
        return (
            Remembered(found[0], choice)
            if found and isinstance(choice, dict) and _is_choice(choice)
            else None
        )

    def imprecise(self, candidates: list[tuple[str, str]]) -> list[tuple[str, str]]:
        """The candidates that an earlier start found not precise enough. Never all of them."""
        kept = self._cache.load_json(self._name(candidates))
        names = kept.get("imprecise") if isinstance(kept, dict) else None
        found = [each for each in candidates if isinstance(names, list) and "/".join(each) in names]
        return found if len(found) < len(candidates) else []

    def keep(
        self,
        candidates: list[tuple[str, str]],
        chosen: str,
        choice: dict[str, Any],
        imprecise: list[tuple[str, str]],
    ) -> None:
        """Keep that `chosen`, as `engine/precision`, was chosen among these candidates, and which are not precise enough."""
        self._store(candidates, {"chosen": chosen, "choice": choice}, imprecise)

    def keep_imprecise(self, candidates: list[tuple[str, str]], imprecise: list[tuple[str, str]]) -> None:
        """Keep only which of these candidates are not precise enough."""
        self._store(candidates, {}, imprecise)

    def turn(self) -> AbstractContextManager[bool]:
        """In the block no other process with this cache times engines; true if one has done so while this one waited."""
        return self._cache.turn("choice", "times engines", _PATIENCE_S)

    def _store(
        self, candidates: list[tuple[str, str]], made: dict[str, Any], imprecise: list[tuple[str, str]]
    ) -> None:
        names = ["/".join(each) for each in imprecise]
        self._cache.store_json(self._name(candidates), made | {"imprecise": names})

    def _name(self, candidates: list[tuple[str, str]]) -> str:
        return "choice-" + key_of("2", str(candidates), *self._circumstances)


def _is_choice(choice: dict[str, Any]) -> bool:
    """Whether a stored choice has the parts that logs and `GET /model` show."""
    if set(choice) != {"how", "milliseconds", "margin"}:
        return False
    times = choice["milliseconds"]
    return (
        isinstance(times, dict)
        and all(isinstance(each, dict) and set(each) == {"minimum", "median"} for each in times.values())
        and all(_is_number(value) for each in times.values() for value in each.values())
        and (_is_number(choice["margin"]) if times else choice["margin"] is None)
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
