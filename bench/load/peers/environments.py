"""An environment for each peer, made once: `python3 -m venv` and the exact versions of bench/load/peers/requirements."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

REQUIREMENTS = Path(__file__).parent / "requirements"
_DONE = "installed.txt"
_MAKE_S = 120.0
_LONGEST_REASON = 300


class SkippedError(Exception):
    """A peer cannot be compared here; the text is the reason, one line."""


def environment_of(
    name: str,
    folder: Path,
    timeout_s: float,
    say: Callable[[str], None] = lambda _: None,
    run: Callable[..., subprocess.CompletedProcess[str]] = subprocess.run,
) -> Path:
    """The interpreter of a peer's environment below `folder`, which is made if it is missing or of other versions.

    Raises SkippedError.
    """
    wanted = (REQUIREMENTS / f"{name}.txt").read_text(encoding="utf-8")
    home = folder / name
    python, done = home / "bin" / "python", home / _DONE
    if python.exists() and done.is_file() and done.read_text(encoding="utf-8") == wanted:
        return python
    say(f"installing {name} into {home}")
    shutil.rmtree(home, ignore_errors=True)
    home.parent.mkdir(parents=True, exist_ok=True)
    _do(run, [sys.executable, "-m", "venv", str(home)], _MAKE_S)
    listed = str(REQUIREMENTS / f"{name}.txt")
    # Wheels only: a package that would have to be compiled is one that cannot be installed here.
    install = [str(python), "-m", "pip", "install", "--quiet", "--only-binary", ":all:", "-r", listed]
    _do(run, install, timeout_s)
    done.write_text(wanted, encoding="utf-8")
    return python


def version_of(name: str, package: str) -> str:
    """The version of a package that a peer's requirements name."""
    text = (REQUIREMENTS / f"{name}.txt").read_text(encoding="utf-8")
    found = re.search(rf"^{re.escape(package)}(?:\[[\w,]+\])?==(\S+)", text, re.MULTILINE)
    return found[1] if found else "?"


def _do(
    run: Callable[..., subprocess.CompletedProcess[str]], command: Sequence[str], timeout_s: float
) -> None:
    try:
        done = run(command, capture_output=True, text=True, timeout=timeout_s, check=False)
    except subprocess.TimeoutExpired:
        raise SkippedError(f"not installed within {timeout_s:g} s (--install-s)") from None
    except OSError as error:
        raise SkippedError(f"{command[0]}: {error.strerror}") from None
    if done.returncode:
        raise SkippedError(f"not installed: {reason(done.stderr or done.stdout)}")


def reason(said: str) -> str:
    """The line of pip's that says why."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    errors = [line for line in lines if line.lower().startswith("error")]
    return (errors or lines or ["no reason was said"])[-1][:_LONGEST_REASON]
