"""What goes wrong in other people's code, in one line."""

from __future__ import annotations

import re

_LONGEST = 300


def reason(error: BaseException) -> str:
    """The error's type and the first line of its text that says something."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", str(error))
    lines = [line.strip() for line in plain.splitlines() if line.strip()]
    text = "".join(character for character in (lines or [""])[0] if character.isprintable())
    if len(text) > _LONGEST:
        text = f"{text[:_LONGEST]} …"
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
