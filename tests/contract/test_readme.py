"""What the README and the other pages say is so: their settings, their links, their commands."""

from __future__ import annotations

import os
import re
import runpy
import shlex
import subprocess
import sys

import pytest
from kits.readme import PAGES, README, ROOT, anchors, commands, links

# The commands that take long or need a network, and what runs them.
RUN_ELSEWHERE = {
    "make demo": (".ci/run", "make demo;"),
    "make demo SOURCE=clip.mp4": (".ci/run", "make demo SOURCE="),
    "make demo MODEL=detector.onnx LABELS=names.txt RECIPE=channels=BGR SOURCE=clip.mp4": (
        "tests/integration/test_demo.py",
        '"--model", str(network), "--labels", str(labels)',
    ),
    "make test": (".ci/run", "within 3600 make test\n"),
    "make lint": (".ci/run", "within 1800 make lint"),
    "make integration-test": (".ci/run", "within 3600 make integration-test"),
    "make bench": (".ci/run", "make bench"),
    "docker compose up": ("tests/kits/deployments.py", '"up", "--detach", "--wait", "cloud", "prometheus"'),
    "SPLITDNN_SOURCE=/media/clip.mp4 docker compose up": ("tests/kits/deployments.py", "/media/{CLIP.name}"),
    "SPLITDNN_MODEL=/media/detector.onnx SPLITDNN_LABELS=/media/names.txt SPLITDNN_RECIPE=channels=BGR SPLITDNN_SOURCE=/media/clip.mp4 docker compose up": (
        "tests/kits/detector_runs.py",
        "ComposeDeployment(files, **settings)",
    ),
    "docker compose up --scale edge=3": ("tests/kits/deployments.py", '"--scale", f"edge={edges}"'),
    "docker compose -f compose.yaml -f compose.webcam.yaml up": (
        "tests/contract/test_compose.py",
        "compose.webcam.yaml",
    ),
    "docker compose -f compose.yaml -f compose.edges.yaml up --build": (
        "tests/integration/test_edges.py",
        "compose.edges.yaml",
    ),
    "docker compose -f compose.yaml -f compose.gpu.yaml up --build": (
        "tests/contract/test_compose.py",
        "compose.gpu.yaml",
    ),
}


def test_the_table_of_settings_is_the_codes():
    table = runpy.run_path(str(ROOT / "scripts" / "settings.py"))["table"]()
    assert table in README.read_text(encoding="utf-8"), "run: python scripts/settings.py --write"


def test_links_lead_somewhere():
    """In every page, to files and to headings."""
    found = [(page, *link) for page in PAGES for link in links(page)]
    assert len(found) > 30
    lost = []
    for page, target, anchor in found:
        file = (page.parent / target).resolve() if target else page
        if not file.exists() or (anchor and anchor not in anchors(file)):
            lost.append(f"{page.relative_to(ROOT)}: {target}#{anchor}")
    assert lost == []


def test_what_the_pages_name_is_there():
    """Files in backticks, and targets of make. The changelog also names what is gone."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    lost, found = [], 0
    for page in set(PAGES) - {ROOT / "CHANGELOG.md"}:
        text = page.read_text(encoding="utf-8")
        files = re.findall(r"`((?:[\w.-]+/)+[\w.-]+\.(?:py|md|yml|yaml|toml|json))`", text)
        made = re.findall(r"`make ([a-z-]+)[^`]*`", text) + re.findall(
            r"^make ([a-z-]+)", text, flags=re.MULTILINE
        )
        lost += [f"{page.name}: {file}" for file in files if not (ROOT / file).exists()]
        lost += [f"{page.name}: make {target}" for target in made if target not in targets]
        found += len(files) + len(made)
    assert found > 20
    assert lost == []


def test_nothing_is_left_to_be_filled_in():
    unfinished = re.compile(r"\b(TODO|TBD|MEASURED|XXX)\b")
    assert [page for page in PAGES if unfinished.search(page.read_text(encoding="utf-8"))] == []


@pytest.mark.slow
def test_every_command_is_run_by_a_test_or_by_ci():
    checked = 0
    for command in commands():
        if command.startswith("curl "):
            assert "kits.readme" in (ROOT / "tests/integration/test_readme_commands.py").read_text()
        elif command.startswith(".venv/bin/"):
            check_flags(command)
            checked += 1
        else:
            assert command in RUN_ELSEWHERE, command
            file, words = RUN_ELSEWHERE[command]
            assert words in (ROOT / file).read_text(encoding="utf-8"), command
    assert checked


def check_flags(command: str) -> None:
    """A command of .venv/bin takes these flags; `--print-config` in place of the work, for a bundle `--list`."""
    program, *arguments = shlex.split(command, comments=True)
    if "bundle" in arguments:
        arguments += ["--weights", "random", "--list"]
    elif "--list-split-points" not in arguments:
        arguments.append("--print-config")
    own = {".venv/bin/python": [sys.executable], ".venv/bin/splitdnn": [sys.executable, "-m", "splitdnn"]}
    runner = own.get(program, [str(ROOT / program)])
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SPLITDNN_")}
    done = subprocess.run(
        [*runner, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{command}: {done.stderr}"
    assert done.stdout, command
