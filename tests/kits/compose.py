"""compose.yaml and its overrides, as they stand and as Docker Compose reads them."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import Any

import pytest
import yaml
from kits.common import ROOT

from shared.process.settings import PREFIX

_READ_S = 120.0


class _Loader(yaml.SafeLoader):
    """Reads what stands behind Compose's `!reset` and `!override`."""


def _behind_tag(loader: yaml.SafeLoader, node: yaml.Node) -> Any:
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    assert isinstance(node, yaml.MappingNode)
    return loader.construct_mapping(node, deep=True)


for _tag in ("!reset", "!override"):
    _Loader.add_constructor(_tag, _behind_tag)


def compose(name: str = "compose.yaml") -> dict[str, Any]:
    """What stands in a file of the repository."""
    found: dict[str, Any] = yaml.load((ROOT / name).read_text(encoding="utf-8"), _Loader)
    return found


def compose_config(
    *files: str, env: dict[str, str] | None = None, env_file: str = "/dev/null"
) -> dict[str, Any]:
    """The services that Docker Compose makes of `files`, with nothing of this shell's settings."""
    if shutil.which("docker") is None:
        pytest.skip("no docker here")
    if subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode:
        pytest.skip("docker has no compose here")
    options = [option for file in files for option in ("--file", file)]
    ours = (PREFIX, "COMPOSE_", "VIDEO_GID")
    shell = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    command = ["docker", "compose", "--env-file", env_file, *options, "config"]
    try:
        finished = _read(command, shell | (env or {}))
    except subprocess.TimeoutExpired:  # seen once: both of its processes ran in circles, for ever
        finished = _read(command, shell | (env or {}))
    assert finished.returncode == 0, finished.stderr
    assert finished.stderr == ""
    services: dict[str, Any] = yaml.safe_load(finished.stdout)["services"]
    return services


def _read(command: list[str], env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=ROOT, env=env, capture_output=True, text=True, check=False, timeout=_READ_S
    )
