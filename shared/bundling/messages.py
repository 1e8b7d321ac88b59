"""One line of another library's error message."""

from __future__ import annotations

_LONGEST = 300


def first_line(error: BaseException) -> str:
    """The line that says something.

    OpenVINO writes first where in its code the error is, and last what it is; its converter for torch gives advice at the end, and
    torch's own message after a line `Exception:`.
    """
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if "Exception:" in lines[:-1]:
        return lines[lines.index("Exception:") + 1][:_LONGEST]
    return lines[-1][:_LONGEST] if lines else type(error).__name__
