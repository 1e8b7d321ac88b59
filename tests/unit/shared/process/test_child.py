"""A child process runs our module, whatever lies in the working directory."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from shared.process.child import run_module

if TYPE_CHECKING:
    from pathlib import Path


def test_our_module_runs_where_a_folder_has_a_package_of_the_same_name(tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / "__init__.py").write_text("raise SystemExit('not ours')\n")
    command = [*run_module("shared.process.healthcheck"), "http://127.0.0.1:1/healthz"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "not ours" not in done.stderr
    assert done.returncode == 1, done.stderr
    assert "http://127.0.0.1:1/healthz" in done.stderr
