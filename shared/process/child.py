"""How a process starts another one that runs a module of this installation."""

from __future__ import annotations

import sys
from pathlib import Path

_ROOT = str(Path(__file__).resolve().parents[2])
_RUN = (
    "import runpy, sys; sys.path.insert(0, sys.argv.pop(1)); module = sys.argv.pop(1); "
    "runpy.run_module(module, run_name='__main__', alter_sys=True)"
)


def run_module(module: str) -> list[str]:
    """The start of a command, before the module's arguments.

    Unlike `python -m`, it finds our modules before the working directory's: a user's folder may have a package `shared`.
    """
    return [sys.executable, "-c", _RUN, _ROOT, module]
