"""The two images, as the Dockerfile builds them: pinned, small, and run by an unprivileged user."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def read(name):
    return (ROOT / name).read_text(encoding="utf-8")


def stages():
    """Name -> the instructions of each stage."""
    parts = re.split(r"^FROM \S+ AS (\w+)$", read("Dockerfile"), flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def test_bases_are_pinned():
    bases = re.findall(r"^FROM (\S+) AS (\w+)$", read("Dockerfile"), flags=re.MULTILINE)
    assert len(bases) == read("Dockerfile").count("\nFROM ")
    outside = {base for base, _ in bases} - set(stages())
    assert outside == {"python:3.11-slim-bookworm"}


def test_both_images_share_their_layers():
    bases = {
        name: base
        for base, name in re.findall(r"^FROM (\S+) AS (\w+)$", read("Dockerfile"), flags=re.MULTILINE)
    }
    assert bases["edge"] == bases["cloud"] == "base"
    assert "install_torch.py" in stages()["base"]


def test_the_version_is_the_project_s():
    version = tomllib.loads(read("pyproject.toml"))["project"]["version"]
    tags = re.findall(r"\$\{SPLITDNN_VERSION:-([^}]+)\}", read("compose.yaml") + read("compose.gpu.yaml"))
    labels = re.findall(r"^ARG VERSION=(.+)$", read("Dockerfile"), flags=re.MULTILINE)
    assert len(labels) == 2
    assert {*tags, *labels} == {version}


def test_images_run_as_an_unprivileged_user():
    for side in ("edge", "cloud"):
        assert re.findall(r"^USER (\S+)", stages()[side], flags=re.MULTILINE) == ["10001:10001"], side


def test_an_image_holds_its_own_side_and_what_both_share():
    for side in ("edge", "cloud"):
        assert re.findall(r"^COPY (\w+) ", stages()[side], flags=re.MULTILINE) == ["splitdnn", "shared", side]
        assert f'CMD ["python", "-m", "{side}"]' in stages()[side]


def test_versions_of_packages_are_written_in_pyproject_only():
    for name in ("Dockerfile", "compose.yaml", "Makefile"):
        assert "==" not in re.sub(r"assert .*", "", read(name)), name


def test_the_build_context_leaves_out_what_is_private_or_large():
    lines = read(".dockerignore").splitlines()
    assert "*" in lines, "everything is left out but what is named"
    assert {".git", ".venv", ".env"} <= set(lines)
    kept = {line[1:] for line in lines if line.startswith("!")}
    assert kept == {"pyproject.toml", "scripts/install_torch.py", "shared", "splitdnn", "cloud", "edge"}
