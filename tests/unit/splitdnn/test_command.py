"""`splitdnn COMMAND`: its first word is read, the rest is another's."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import pytest

from shared import __version__
from splitdnn.command import main

ROOT = Path(__file__).resolve().parents[3]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def started(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SPLITDNN_")}
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_lists_the_commands(flag, capsys):
    assert main([flag]) == 0
    out = capsys.readouterr().out
    for command in ("edge", "cloud", "bundle", "back", "prepare", "authority", "calibrate", "bench"):
        assert f"\n  {command} " in out


def test_without_a_word_the_help_is_an_error(capsys):
    assert main([]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("usage: splitdnn COMMAND")


@pytest.mark.parametrize("flag", ["--version", "-V"])
def test_version(flag, capsys):
    assert main([flag]) == 0
    assert capsys.readouterr().out == f"splitdnn {__version__}\n"
    assert PYPROJECT["project"]["version"] == __version__


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("edg", "did you mean edge?"),
        ("clod", "did you mean cloud?"),
        ("xyz", "known: edge, cloud, bundle, back, prepare, authority, token, calibrate, doctor, bench"),
    ],
)
def test_an_unknown_word_is_one_line_with_the_nearest(word, hint, capsys):
    assert main([word, "--model", "resnet18"]) == 2
    out, err = capsys.readouterr()
    assert (out, err) == ("", f"splitdnn: unknown command {word!r}; {hint}\n")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("word", "module"), [("edge", ["edge"]), ("cloud", ["cloud"]), ("calibrate", ["edge", "calibrate"])]
)
def test_a_command_is_the_old_form(word, module):
    flags = ["--model", "resnet18", "--print-config"]
    new, old = started("splitdnn", word, *flags), started(*module, *flags)
    assert new.returncode == old.returncode == 0, new.stderr
    assert new.stdout == old.stdout
    assert "SPLITDNN_MODEL=resnet18" in new.stdout


def test_a_commands_refusal_and_status_are_its_own():
    done = started("splitdnn", "edge", "--modle", "resnet18")
    assert done.returncode == 2
    assert (
        done.stderr == "splitdnn: unknown argument --modle; did you mean --model or --codec or --profile?\n"
    )


@pytest.mark.slow
def test_bench_is_the_old_form():
    new, old = started("splitdnn", "bench", "--help"), started("bench", "--help")
    assert (new.returncode, new.stdout) == (old.returncode, old.stdout) == (0, old.stdout)
    assert "rate" in new.stdout


def test_nothing_heavy_is_imported_before_a_command_is_chosen():
    script = (
        "import sys; from splitdnn.command import main; main(['--help']); main(['edeg']); "
        "print(*(name for name in ('torch', 'numpy', 'cv2', 'pydantic', 'asyncio', 'tornado') if name in sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == ""


def test_the_console_script_is_there():
    module, _, function = PYPROJECT["project"]["scripts"]["splitdnn"].partition(":")
    assert callable(getattr(import_module(module), function))
    assert "splitdnn" in PYPROJECT["tool"]["setuptools"]["packages"]
    assert PYPROJECT["tool"]["setuptools"]["package-data"]["splitdnn"] == ["py.typed"]
