"""The pages for people, the commands that the README shows, and where the pages' links lead."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
PAGES = sorted(
    [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), ROOT / "findings/README.md", ROOT / "shared/wire/WIRE.md"]
)


def commands() -> list[str]:
    """Every line of every block marked `sh`, in order."""
    blocks = re.findall(
        r"^```sh\n(.*?)^```", README.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE
    )
    return [line for block in blocks for line in block.splitlines() if line.strip()]


def commands_of(page: Path, heading: str) -> list[list[str]]:
    """The lines of each block marked `sh` below a heading of the second level."""
    section = page.read_text(encoding="utf-8").split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    blocks: list[str] = re.findall(r"^```sh\n(.*?)^```", section, flags=re.DOTALL | re.MULTILINE)
    return [block.splitlines() for block in blocks]


def links(page: Path) -> list[tuple[str, str]]:
    """(file, anchor) of each link of a page to a file of the project or a heading; either may be empty."""
    prose = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    return re.findall(r"\]\((?!https?:)([^)#\s]*)#?([^)\s]*)\)", prose)


def anchors(page: Path) -> set[str]:
    """What the headings of a page are linked by."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
