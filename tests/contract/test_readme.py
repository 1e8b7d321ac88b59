"""What the README says is so: its settings, its links, its commands."""

from __future__ import annotations

import os
import re
import runpy
import shlex
import subprocess
import sys

import pytest
from kits.readme import README, ROOT, commands

# The commands that take long or need a network, and what runs them.
RUN_ELSEWHERE = {
    "make demo": (".ci/run", "make demo;"),
    "make demo SOURCE=clip.mp4": (".ci/run", "make demo SOURCE="),
    "make test": (".ci/run", "step make test"),
    "make lint": (".ci/run", "step make lint"),
    "make integration-test": (".ci/run", "step make integration-test"),
    "make bench": (".ci/run", "make bench"),
    "docker compose up": ("tests/kits/deployments.py", '"up", "--detach", "--wait", "cloud", "prometheus"'),
    "SPLITDNN_SOURCE=/media/clip.mp4 docker compose up": ("tests/kits/deployments.py", "/media/{CLIP.name}"),
    "docker compose up --scale edge=3": ("tests/kits/deployments.py", '"--scale", f"edge={edges}"'),
    "docker compose -f compose.yaml -f compose.webcam.yaml up": (
        "tests/contract/test_compose.py",
        "compose.webcam.yaml",
    ),
    "docker compose -f compose.yaml -f compose.gpu.yaml up --build": (
        "tests/contract/test_compose.py",
        "compose.gpu.yaml",
    ),
}


def test_the_table_of_settings_is_the_codes():
    table = runpy.run_path(str(ROOT / "scripts" / "settings.py"))["table"]()
    assert table in README.read_text(encoding="utf-8"), "run: python scripts/settings.py --write"


@pytest.mark.parametrize("target", re.findall(r"\]\((?!http)([^)#]+)", README.read_text(encoding="utf-8")))
def test_links_lead_somewhere(target):
    assert (ROOT / target).exists()


def test_nothing_is_left_to_be_filled_in():
    assert not re.search(r"\b(TODO|TBD|MEASURED|XXX)\b", README.read_text(encoding="utf-8"))


@pytest.mark.parametrize("command", commands())
def test_every_command_is_run_by_a_test_or_by_ci(command):
    if command.startswith("curl "):
        assert "kits.readme" in (ROOT / "tests/integration/test_readme_commands.py").read_text()
    elif command.startswith(".venv/bin/python -m "):
        check_flags(command)
    else:
        file, words = RUN_ELSEWHERE[command]
        assert words in (ROOT / file).read_text(encoding="utf-8")


def check_flags(command: str) -> None:
    """`python -m …` takes these flags; `--print-config` in place of the work."""
    arguments = shlex.split(command)[1:]
    if "--list-split-points" not in arguments:
        arguments.append("--print-config")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SPLITDNN_")}
    done = subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout
