"""Tables: on the screen, and as Markdown and CSV with what they were measured on."""

from __future__ import annotations

import csv
import hashlib
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from shared.threads import available_cores


def markdown(rows: list[dict[str, Any]]) -> str:
    """A table of `rows`, whose keys are the columns."""
    columns = list(rows[0])
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    lines += ["| " + " | ".join(str(row.get(column, "")) for column in columns) + " |" for row in rows]
    return "\n".join(lines)


def machine(weights: str, source: str) -> str:
    """What the figures were measured on, in one line."""
    model = "unknown processor"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    packages = ", ".join(
        f"{name} {version(name)}" for name in ("torch", "torchvision", "numpy", "opencv-python-headless")
    )
    return (
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {model}, {available_cores()} cores, Python "
        f"{platform.python_version()}, {packages}; weights {_named(weights)}; source {_named(source)}"
    )


def write(folder: Path, name: str, rows: list[dict[str, Any]], about: str) -> None:
    """`name`.md and `name`.csv in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.md").write_text(f"{about}\n\n{markdown(rows)}\n", encoding="utf-8")
    with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)


def _named(path: str) -> str:
    file = Path(path)
    if not file.is_file():
        return path
    return f"{file.name} (sha256 {hashlib.sha256(file.read_bytes()).hexdigest()[:8]})"
