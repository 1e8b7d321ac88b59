"""Cells that are measured already: a grid takes hours, and one that was interrupted goes on where it stopped."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


class Kept:
    """A file of one JSON object a line: the cell's key and what was found. Only cells of the same run (`about`) count."""

    def __init__(self, path: Path, about: Mapping[str, Any], *, resume: bool) -> None:
        """Unless `resume`, what the file holds is forgotten. Raises ValueError if it is another run's."""
        self._path = path
        self._about = json.loads(json.dumps(about))
        self._found: dict[str, Any] = {}
        if resume and path.exists():
            self._read()
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"about": self._about}) + "\n", encoding="utf-8")

    def get(self, key: Mapping[str, Any]) -> Any | None:
        """What was found of this cell, as JSON; None if it is still to be measured."""
        return self._found.get(_name(key))

    def add(self, key: Mapping[str, Any], found: Any) -> None:
        """Keep it, before the next cell begins."""
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"cell": key, "found": found}) + "\n")
        self._found[_name(key)] = found

    def _read(self) -> None:
        text = self._path.read_text(encoding="utf-8")
        if not text.endswith("\n"):  # cut off as the run was: what comes next begins on a line of its own
            with self._path.open("a", encoding="utf-8") as file:
                file.write("\n")
        first, *lines = text.splitlines() or ["{}"]
        if json.loads(first).get("about") != self._about:
            raise ValueError(
                f"{self._path} is of another run (other options or another commit): remove it, or leave --resume out"
            )
        for line in lines:
            try:
                each = json.loads(line)
            except ValueError:
                continue  # the line that was cut off
            self._found[_name(each["cell"])] = each["found"]


def _name(key: Mapping[str, Any]) -> str:
    return json.dumps(key, sort_keys=True)
