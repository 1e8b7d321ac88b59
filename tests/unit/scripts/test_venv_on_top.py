"""A virtual environment on top of another one."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from typing import TYPE_CHECKING

import pytest
from kits.common import ROOT

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.slow
def test_it_sees_what_is_installed_below(tmp_path: Path) -> None:
    folder = tmp_path / "above"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    subprocess.run([sys.executable, ROOT / "scripts" / "venv_on_top.py", folder], check=True)
    code = "import pytest, sys; print(pytest.__file__); print(sys.prefix)"
    done = subprocess.run([folder / "bin/python", "-c", code], capture_output=True, text=True, check=True)
    where, prefix = done.stdout.split()
    assert where.startswith(sysconfig.get_path("purelib"))
    assert prefix == str(folder)
