"""One way to run edge and cloud: this checkout, or another version of the project beside it."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.harness.options import first_file
from bench.harness.process import Checkout

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Contender:
    """A checkout, and what its processes are given."""

    name: str
    checkout: Checkout
    flags: tuple[str, ...]
    """Given to edge and cloud alike."""


def other_checkout(folder: Path, python: str = "") -> Checkout:
    """The checkout in `folder`, run by this interpreter: by default its own, or the one that runs this."""
    folder = folder.resolve()
    return Checkout(folder, python or first_file(folder / ".venv" / "bin" / "python", sys.executable))


def is_checkout(folder: Path) -> bool:
    """Whether a version of this project lies there."""
    return (folder / "edge" / "__main__.py").is_file()
