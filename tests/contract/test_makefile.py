"""The Makefile's own list is complete, README names no target that is not there, and a bare machine is told what it lacks."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TARGETS = set(
    re.findall(r"^\.PHONY: (.+)$", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE)
)
INTERNAL = {"folders"}

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="no make here")


def make(*arguments, cwd=ROOT, **variables):
    return subprocess.run(
        ["make", "--no-print-directory", *arguments],
        cwd=cwd, env=os.environ | variables, capture_output=True, text=True, check=False,
    )  # fmt: skip


def listed():
    return set(re.findall(r"^  make ([a-z-]+)", make("help").stdout, flags=re.MULTILINE))


def test_help_is_what_a_bare_make_says():
    assert make().stdout == make("help").stdout != ""


def test_every_target_is_listed_and_every_listed_one_exists():
    assert listed() == TARGETS - INTERNAL
    for target in listed():
        assert make("--dry-run", target).returncode == 0, target


def test_expected_targets_are_there():
    assert {
        "demo",
        "check",
        "test",
        "lint",
        "format",
        "integration-test",
        "chaos",
        "soak",
        "bench",
        "up",
        "down",
        "up-gpu",
        "clean",
    } <= listed()


def test_a_source_with_a_space_stays_one_word():
    assert "--source 'my clip.mp4'" in make("--dry-run", "demo", "SOURCE=my clip.mp4").stdout
    assert "--source" not in make("--dry-run", "demo").stdout


def test_what_the_demo_is_told_of_a_network_is_passed_on_and_the_shells_variables_are_not():
    given = {
        "model": "my net.onnx",
        "labels": "names.txt",
        "recipe": "channels=BGR,fit=stretch",
        "task": "detect:threshold=0.3",
    }
    said = make("--dry-run", "demo", *(f"{name.upper()}={value}" for name, value in given.items())).stdout
    for name, value in given.items():
        assert f"--{name} '{value}'" in said, name
    shells = {name.upper(): "of the shell" for name in given}
    assert "of the shell" not in make("--dry-run", "demo", **shells).stdout


@pytest.mark.skipif(not (ROOT / "README.md").exists(), reason="no README.md yet")
def test_readme_names_real_targets():
    blocks = re.findall(
        r"^```.*?\n(.*?)^```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    )
    commands = [line.strip().removeprefix("$ ") for block in blocks for line in block.splitlines()]
    called = {
        word
        for command in commands
        if re.match(r"make\b", command)
        for word in command.partition("#")[0].split()[1:]
        if re.fullmatch(r"[a-z-]+", word) and not word.startswith("-")
    }
    assert called, "README shows how to start"
    assert called - listed() == set()


@pytest.fixture
def bare(tmp_path):
    """A checkout without .venv, as far as its making needs one."""
    (tmp_path / "scripts").mkdir()
    for name in ("Makefile", "pyproject.toml", "scripts/install_torch.py"):
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def fake_python(folder, script):
    path = folder / "fake-python"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return f"PYTHON={path}"


@pytest.mark.parametrize(
    ("script", "said"),
    [
        (None, "not found"),
        (
            'test "$1" = --version && echo Python 3.9.2; case "$2" in *version_info*) exit 1;; esac',
            "3.9.2 is too old",
        ),
        ('case "$2" in *ensurepip*) exit 1;; esac', "apt-get install python3-venv"),
    ],
    ids=["no python", "old python", "no venv"],
)
def test_a_machine_without_the_needful_is_told_so_in_one_line(bare, script, said):
    python = "PYTHON=no-such-python" if script is None else fake_python(bare, script)
    finished = make("test", python, cwd=bare)
    assert finished.returncode != 0
    told, verdict = finished.stderr.splitlines()
    assert said in told
    assert "Error" in verdict
    assert not (bare / ".venv").exists()


def test_what_is_installed_is_not_installed_again(bare):
    (bare / ".venv").mkdir()
    (bare / ".venv" / ".installed").touch()
    assert "pip" not in make("--dry-run", "test", cwd=bare).stdout
    later = (bare / ".venv" / ".installed").stat().st_mtime + 1
    os.utime(bare / "pyproject.toml", (later, later))
    assert "pip" in make("--dry-run", "test", cwd=bare).stdout
