"""Requests made beforehand, as files of one folder: the clients only send them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

GOOD, POISONED = "good", "poisoned"
_INDEX = "index.json"


@dataclass(frozen=True, slots=True)
class Body:
    """What is sent as one request: an HTTP body or a gRPC message."""

    data: bytes
    top: int | None = None
    """The class that a right answer has on top; None for a poisoned request, to which every answer will do."""


def write_bodies(folder: Path, bodies: dict[str, list[Body]]) -> None:
    """Replace the folder's bodies by these, which are by kind."""
    folder.mkdir(parents=True, exist_ok=True)
    index: dict[str, list[tuple[str, int | None]]] = {}
    for kind, each in bodies.items():
        index[kind] = []
        for number, body in enumerate(each):
            name = f"{kind}-{number:03d}"
            (folder / name).write_bytes(body.data)
            index[kind].append((name, body.top))
    (folder / _INDEX).write_text(json.dumps(index), encoding="utf-8")


def read_bodies(folder: Path, kind: str) -> list[Body]:
    """The bodies of one kind, in order."""
    index = json.loads((folder / _INDEX).read_text(encoding="utf-8"))
    return [Body((folder / name).read_bytes(), top) for name, top in index[kind]]
