"""KServe's own client, which brings half a gigabyte that nothing else uses: in a virtual environment of its own, or not at all."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

KSERVE = os.environ.get("KSERVE_PYTHON")
"""An interpreter that has it, as `make kserve-test` makes one."""
ROOT = Path(__file__).resolve().parents[2]


def run_block(code: str) -> str:
    """What a program prints there. Raises AssertionError with what went wrong."""
    assert KSERVE
    ran = subprocess.run(
        [KSERVE, "-c", code], capture_output=True, text=True, timeout=120, check=False, cwd=ROOT / "tests"
    )
    assert ran.returncode == 0, ran.stderr[-2000:]
    return ran.stdout
