"""The chapters of the table, in order."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kits.media.row import Row

NAMES = (
    "codecs",
    "containers",
    "rates",
    "colour",
    "pixels",
    "geometry",
    "interlacing",
    "changes",
    "streams",
    "damage",
    "truncation",
    "pictures",
    "odd_pictures",
    "picture_damage",
)


def chapters() -> dict[str, list[Row]]:
    """Every row, by its chapter, which is a file in tests/kits/media/table."""
    return {name: import_module(f"kits.media.table.{name}").ROWS for name in NAMES}
