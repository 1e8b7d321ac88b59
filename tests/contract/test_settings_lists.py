"""A setting is added in one place: everything else that names it is made from the settings classes."""

import re
import runpy
from pathlib import Path

import pytest
import yaml

from cloud.config import CloudSettings
from edge.config import EdgeSettings
from shared.process.settings import KNOWN_NAMES, PREFIX

ROOT = Path(__file__).resolve().parents[2]
OURS = ("edge", "cloud")
SETTINGS = {"edge": EdgeSettings, "cloud": CloudSettings}
SCRIPT = runpy.run_path(str(ROOT / "scripts" / "settings.py"))


def read(name):
    return (ROOT / name).read_text(encoding="utf-8")


SERVICES = yaml.safe_load(read("compose.yaml"))["services"]


def names_in(text):
    """`SPLITDNN_*` names, without the prefix; `SPLITDNN_*` itself is prose."""
    return set(re.findall(rf"\b{PREFIX}([A-Z_]+)\b", text))


def defaults_in_env_example():
    return dict(re.findall(r"^#([A-Z_]+)=(.*)$", read(".env.example"), flags=re.MULTILINE))


def test_every_file_holds_what_the_classes_say():
    files = SCRIPT["files"]()
    assert {path.name for path in files} == {
        "README.md",
        ".env.example",
        "compose.yaml",
        "settings.py",
        "stack.yaml",
    }
    for path, text in files.items():
        assert path.read_text(encoding="utf-8") == text, (
            f"{path.name}: run `python scripts/settings.py --write`"
        )


def test_a_new_field_would_be_written_everywhere(monkeypatch):
    field = EdgeSettings.model_fields["frames"]
    monkeypatch.setitem(EdgeSettings.model_fields, "patience", field)
    for path, text in SCRIPT["files"]().items():
        assert "PATIENCE" in text, path.name


def test_a_file_without_its_marking_lines_is_an_error():
    with pytest.raises(ValueError, match="no lines"):
        SCRIPT["replaced"]("nothing is marked here", "")


def test_every_name_that_is_written_is_known():
    for name in (
        "compose.yaml",
        ".env.example",
        "compose.gpu.yaml",
        "compose.webcam.yaml",
        "compose.edges.yaml",
        "compose.tokens.yaml",
        *SCRIPT["FLEET_FILES"],
        "deploy/balancer/haproxy.cfg",
        "Dockerfile",
        "Makefile",
    ):
        assert names_in(read(name)) - KNOWN_NAMES == set(), name


def test_every_known_name_is_explained_and_used():
    explained = {name.removeprefix(PREFIX) for name in defaults_in_env_example() if name.startswith(PREFIX)}
    assert explained == KNOWN_NAMES
    files = ("compose.yaml", "compose.tokens.yaml", *SCRIPT["FLEET_FILES"])
    assert KNOWN_NAMES - names_in("".join(map(read, files))) == set()


@pytest.mark.parametrize("side", OURS)
def test_every_setting_reaches_its_container(side):
    fields = {PREFIX + name.upper() for name in SETTINGS[side].model_fields}
    assert set(SERVICES[side]["environment"]) == fields


@pytest.mark.parametrize("side", OURS)
def test_defaults_in_env_example_are_those_in_force(side):
    explained = defaults_in_env_example()
    for name, field in SETTINGS[side].model_fields.items():
        shown = explained[PREFIX + name.upper()]
        value = SERVICES[side]["environment"][PREFIX + name.upper()]
        default = re.fullmatch(r"\$\{[A-Z_]+:?-(.*)\}", value or "")
        if default:
            assert shown == default[1]
        elif isinstance(field.default, bool | None):
            assert shown == {None: "", False: "false", True: "true"}[field.default]
        elif isinstance(field.default, int | float):
            assert float(shown) == field.default
        else:
            assert shown == field.default


def test_defaults_of_what_only_compose_reads_are_those_in_force():
    explained = defaults_in_env_example()
    interpolated = re.findall(rf"\$\{{({PREFIX}[A-Z_]+):?-([^}}]*)\}}", read("compose.yaml"))
    assert interpolated
    for name, default in interpolated:
        if "{" not in default:
            assert explained[name] == default, name
