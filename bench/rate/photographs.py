"""The pictures of the report: photographs of known classes, separate ones for calibration and measurement."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from bench.harness.network import Network

_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}
_MAX_CALIBRATING = 100
_EVERY = 3


@dataclass(frozen=True, eq=False)
class Pictures:
    """As the edge prepares them; `labels` are their classes."""

    name: str
    pictures: Sequence[NDArray[np.uint8]]  # each (crop, crop, 3) RGB
    labels: NDArray[np.intp]

    def __len__(self) -> int:
        return len(self.pictures)


@dataclass(frozen=True)
class Photographs:
    """The files of one folder."""

    calibrating: Sequence[Path]
    measured: Sequence[Path]

    @classmethod
    def of(cls, folder: Path, limit: int | None = None) -> Photographs:
        """By name, every third one calibrates, a hundred at most; a `limit` thins both out evenly and moves none across.

        Raises ValueError for fewer than six, and for one whose name does not start with its class.
        """
        paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in _SUFFIXES)
        for path in paths:
            label_of(path)
        calibrating = paths[::_EVERY][:_MAX_CALIBRATING]
        measured = sorted(set(paths) - set(calibrating))
        if limit is not None and limit < len(paths):
            share = max(2, round(limit * len(calibrating) / max(1, len(paths))))
            calibrating, measured = _evenly(calibrating, share), _evenly(measured, max(1, limit - share))
        if len(calibrating) < 2 or len(measured) < 2:
            raise ValueError(f"{folder} holds {len(paths)} photographs; at least 6 are needed")
        return cls(calibrating, measured)

    def describe(self) -> str:
        """Which ones calibrate, for people."""
        names = [path.stem for path in self.calibrating]
        return f"{len(names)} photographs, {names[0]}, {names[1]}, … {names[-1]}"


def label_of(path: Path) -> int:
    """The class: the number that the file's name starts with. Raises ValueError."""
    found = re.match(r"\d+", path.stem)
    if found is None:
        raise ValueError(f"{path.name}: a photograph's name is its class, such as 0207.jpg")
    return int(found[0])


def read_photographs(paths: Sequence[Path], network: Network) -> Pictures:
    """All of them, which fit into memory: 150 KB each. Raises SourceError."""
    pictures = [network.picture(path) for path in paths]
    return Pictures("photographs", pictures, np.array([label_of(path) for path in paths], np.intp))


def _evenly(paths: Sequence[Path], count: int) -> list[Path]:
    places = np.linspace(0, len(paths) - 1, min(count, len(paths))).astype(int)
    return [paths[place] for place in places]
