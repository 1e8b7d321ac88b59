"""What goes wrong in other people's code, in one line."""

from __future__ import annotations

_LONGEST = 300


def reason(error: BaseException) -> str:
    """The error's type and the first line of its text that says something."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = "".join(character for character in (lines or [""])[0] if character.isprintable())
    if len(text) > _LONGEST:
        text = f"{text[:_LONGEST]} …"
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
