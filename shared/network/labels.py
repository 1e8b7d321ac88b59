"""Names of a network's classes, as people have them in files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.errors import ModelError

if TYPE_CHECKING:
    from pathlib import Path


def read_labels(path: Path, classes: int | None = None) -> tuple[str, ...]:
    """The names in the file at `path`, in the order of the classes; there must be `classes` of them. Raises ModelError."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(f"labels {path}: {error}") from error
    labels = tuple(line.strip() for line in lines if line.strip())
    if classes is not None and len(labels) != classes:
        raise ModelError(f"labels {path}: {len(labels)} names; accepted: {classes}, one for each class")
    return labels
