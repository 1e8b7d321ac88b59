"""Rounds in a file, one life a line: a run that was cut short, or had to be cut in pieces, goes on."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


class Kept:
    """Lives by contender. Without a file they are kept until the run ends."""

    def __init__(self, path: Path | None, about: str) -> None:
        """`about` is what must be the same for all rounds of one table. Raises RuntimeError for a file of another measurement."""
        self._path = path
        self.lives: dict[str, list[dict[str, Any]]] = {}
        if path is None:
            return
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{json.dumps({'about': about})}\n", encoding="utf-8")
        text = path.read_text(encoding="utf-8")
        whole, _, torn = text.rpartition("\n")
        first, *rest = whole.splitlines() or [""]
        try:
            kept = json.loads(first)["about"]
            for line in rest:
                self._add(json.loads(line))
        except (ValueError, KeyError, TypeError) as error:
            raise RuntimeError(f"{path}: not a file of rounds: {error}") from None
        if kept != about:
            raise RuntimeError(f"{path} holds rounds of another measurement ({kept}, not {about})")
        if torn:  # a run ended while it wrote its last line
            path.write_text(f"{whole}\n", encoding="utf-8")

    def add(self, life: dict[str, Any]) -> None:
        """One more."""
        self._add(life)
        if self._path:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(f"{json.dumps(life)}\n")

    def _add(self, life: dict[str, Any]) -> None:
        self.lives.setdefault(life["name"], []).append(life)
