"""Pages of Markdown, as tests read them."""

from __future__ import annotations


def tables_in(section: str) -> list[list[list[str]]]:
    """The cells of every table, each without its own heading row."""
    found: list[list[list[str]]] = []
    before = ""
    for line in section.splitlines():
        if line[:1] == "|":
            if before[:1] != "|":
                found.append([])
            found[-1].append([cell.strip() for cell in line.strip("|").split("|")])
        before = line
    return [rows[2:] for rows in found]
