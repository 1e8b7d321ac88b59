"""Tables: on the screen, and as Markdown and CSV with what they were measured on, without which no figures compare."""

from __future__ import annotations

import csv
import hashlib
import os
import platform
import subprocess
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from bench.report.plots import draw
from bench.report.spread import Spread, short
from shared.process.machine import machine

if TYPE_CHECKING:
    from bench.report.plots import Figure

_PACKAGES = ("torch", "torchvision", "openvino", "numpy", "opencv-python-headless", "av", "zstandard")

Cell = str | int | float | Spread | None


@dataclass(frozen=True)
class Table:
    """Rows of the same columns. `name` names the CSV file."""

    name: str
    title: str
    note: str
    """How it was measured, and what the bounds around a median are."""
    rows: list[dict[str, Cell]]

    def columns(self) -> list[str]:
        """Every key, in the order of first appearance."""
        return list(dict.fromkeys(column for row in self.rows for column in row))

    def markdown(self) -> str:
        columns = self.columns()
        lines = [f"### {self.title}", "", self.note, "", _line(columns), "|" + "---|" * len(columns)]
        lines += [_line([_text(row.get(column)) for column in columns]) for row in self.rows]
        return "\n".join(lines)


@dataclass(frozen=True)
class Findings:
    """What one section has found."""

    engine: str
    """Engine, precision and threads in force, for people."""
    tables: list[Table]
    figures: list[Figure] = field(default_factory=list)


def publish(folder: Path, name: str, findings: Findings, about: str) -> list[Path]:
    """Print the tables and `write` them."""
    print(f"\n## {name} (engine: {findings.engine})")
    for table in findings.tables:
        print(f"\n{table.markdown()}", flush=True)
    return write(folder, name, findings, about)


def write(folder: Path, name: str, findings: Findings, about: str) -> list[Path]:
    """`name`.md, a CSV for each table and a PNG for each figure; the files that were written."""
    folder.mkdir(parents=True, exist_ok=True)
    measured_on = f"{about}; engine {findings.engine}"
    written = [folder / f"{name}.md"]
    pictures = [f"![{figure.title}]({figure.name}.png)" for figure in findings.figures]
    parts = [f"## {name}", measured_on, *(table.markdown() for table in findings.tables), *pictures]
    written[0].write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    written += [_write_csv(folder, table, measured_on) for table in findings.tables]
    written += [draw(figure, measured_on, folder) for figure in findings.figures]
    return written


def _write_csv(folder: Path, table: Table, measured_on: str) -> Path:
    """What it was measured on as comment lines, then a median and its two bounds as three columns."""
    columns = table.columns()
    spread = {column for row in table.rows for column in columns if isinstance(row.get(column), Spread)}
    header = [
        name
        for column in columns
        for name in ([column, f"{column} low", f"{column} high"] if column in spread else [column])
    ]
    path = folder / f"{table.name}.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        for comment in (measured_on, table.title, table.note):
            file.write(f"# {' '.join(comment.split())}\n")
        writer = csv.writer(file)
        writer.writerow(header)
        for row in table.rows:
            writer.writerow(
                [value for column in columns for value in _values(row.get(column), three=column in spread)]
            )
    return path


def _values(cell: Cell, *, three: bool) -> list[str | float | None]:
    if isinstance(cell, Spread):
        return [round(number, 6) for number in (cell.median, cell.low, cell.high)]
    return [cell, None, None] if three else [cell]


def _text(cell: Cell) -> str:
    if cell is None:
        return ""
    return short(cell) if isinstance(cell, float) else str(cell)


def _line(cells: list[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def about(weights: str, source: str) -> str:
    """Date, machine, commit, versions, weights and source in one line; each section adds its engine."""
    memory_gb = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9
    packages = ", ".join(f"{name} {_version(name)}" for name in _PACKAGES)
    return (
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {machine()}, {memory_gb:.0f} GB, commit {commit()}, Python {platform.python_version()}, {packages}; "
        f"weights {named(weights)}; source {named(source)}"
    )


def commit() -> str:
    """The checkout's, with a `+` if files have changed since; `unknown` without git, as in an image."""
    try:
        done = subprocess.run(
            ["git", "describe", "--always", "--abbrev=8", "--dirty=+"],  # noqa: S607 - whichever git there is
            cwd=Path(__file__).parent, capture_output=True, text=True, check=False,
        )  # fmt: skip
    except OSError:
        return "unknown"
    return done.stdout.strip() or "unknown"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def named(path: str) -> str:
    """A file's name with the beginning of its SHA-256; anything else as it is."""
    file = Path(path)
    if not file.is_file():
        return path
    return f"{file.name} (sha256 {hashlib.sha256(file.read_bytes()).hexdigest()[:8]})"
