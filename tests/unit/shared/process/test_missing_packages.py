"""A package that is not installed is one line that says which extra brings it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[4]

pytestmark = pytest.mark.slow


def ended(main: str) -> subprocess.CompletedProcess[str]:
    """A process that runs `main`, the body of a function."""
    program = (
        f"from shared.process.exit import at_end, run_process\ndef main():\n    {main}\n"
        "at_end(lambda: print('cleaned', flush=True))\nrun_process(main)"
    )
    return subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )


def test_a_missing_package_is_one_line_that_says_what_installs_it():
    for module, extra in {"cv2.nothing": "edge", "torch": "torch", "tornado.web": "cloud"}.items():
        done = ended(f"raise ModuleNotFoundError('x', name={module!r})")
        assert done.returncode == 2, module
        assert done.stderr.splitlines() == [
            f"splitdnn: {module} is not installed; it comes with the extra `{extra}`: pip install 'splitdnn[{extra}]'"
        ]
        assert done.stdout == "cleaned\n", module


def test_another_missing_module_is_a_bug_and_keeps_its_traceback():
    done = ended("import shared.nothing_of_this_name")
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert "nothing_of_this_name" in done.stderr


def test_the_extras_that_are_named_exist_and_install_the_module():
    import tomllib

    from shared.process.exit import _EXTRAS

    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"][
        "optional-dependencies"
    ]
    distributions = {"cv2": "opencv-python-headless"}
    for module, extra in _EXTRAS.items():
        name = distributions.get(module, module)
        assert any(pin.startswith(f"{name}==") for pin in extras[extra]), module
