"""What comes from the network, made fit for a line of a log, of the audit or of an answer."""

from __future__ import annotations


def legible(text: str, most: int) -> str:
    """One line of printable characters, at most so many."""
    text = text if len(text) <= most else text[: most - 1] + "…"
    return text if text.isprintable() else "".join(each if each.isprintable() else " " for each in text)
