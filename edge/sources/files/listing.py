"""What files a folder or a pattern names, in order, and what of them is passed over."""

from __future__ import annotations

import glob
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edge.sources.files.kinds import Kind, kind_of_content, kind_of_name
from edge.sources.files.readable import refuse_unreadable

if TYPE_CHECKING:
    from collections.abc import Iterable

_WILD = re.compile(r"[*?\[]")


@dataclass(frozen=True, slots=True)
class Entry:
    """One file."""

    path: Path
    name: str | None
    """As records have it: without the part that all files of the source share. None if it is the only one that was asked for."""
    kind: Kind


def is_pattern(spec: str) -> bool:
    """Whether `spec` has one of `*`, `?` and `[`."""
    return bool(_WILD.search(spec))


def in_folder(folder: Path) -> tuple[list[Entry], list[str]]:
    """The pictures and videos in `folder`, not below it, sorted by name; and the names of all else, but hidden files.

    Raises SourceError.
    """
    refuse_unreadable(folder)
    paths = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    return _sorted((path, path.name) for path in paths)


def matching(pattern: str) -> tuple[list[Entry], list[str]]:
    """The pictures and videos that match, as a shell's patterns do (`**`: any folders), sorted by path; and what else matches."""
    fixed = Path(*_fixed_parts(Path(pattern)))
    found = sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207 - Path.glob takes no absolute pattern
    return _sorted((Path(path), os.path.relpath(path, fixed)) for path in found)


def _fixed_parts(pattern: Path) -> list[str]:
    parts = pattern.parts[:-1]
    wild = next((index for index, part in enumerate(parts) if _WILD.search(part)), len(parts))
    return [*parts[:wild]]


def _sorted(files: Iterable[tuple[Path, str]]) -> tuple[list[Entry], list[str]]:
    entries, others = [], []
    for path, name in files:
        kind = (kind_of_name(path) or kind_of_content(path)) if path.is_file() else None
        if kind:
            entries.append(Entry(path, name, kind))
        else:
            others.append(name + "/" * path.is_dir())
    return entries, others
