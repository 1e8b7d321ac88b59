"""One line of another library's error message."""

from __future__ import annotations


def first_line(error: BaseException) -> str:
    """The last line that says something, as OpenVINO writes the place first; else the error's type."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1][:300] if lines else type(error).__name__
