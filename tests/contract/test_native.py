"""The compiled libraries are built from the sources beside them, travel with the package, and need nothing of the system."""

from __future__ import annotations

import platform
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from fnmatch import fnmatch
from typing import TYPE_CHECKING

import pytest
from kits.common import ROOT
from kits.native_builds import script

if TYPE_CHECKING:
    from pathlib import Path

PACKAGES = {
    "calibrated": "shared.codecs.calibrated.native",
    "pictures": "shared.network.recipes.native",
}


def test_the_libraries_are_of_these_sources(capsys: pytest.CaptureFixture[str]) -> None:
    assert script().main(["--check"]) == 0, capsys.readouterr().out


def test_a_change_of_the_sources_would_be_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = script()
    assert {path.name for path in module.sources()} >= {"core.h", "level.c", "library.c", "native.py"}
    monkeypatch.setattr(module, "_hash", lambda path: "other" if path.name == "coder.h" else "same")
    monkeypatch.setattr(module, "LOCK", tmp_path / "native.sha256")
    (tmp_path / "native.sha256").write_text(module.lock_text().replace("other", "same"), encoding="utf-8")
    assert module.main(["--check"]) == 1


def test_the_lock_is_of_libraries_that_were_all_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who builds for one processor leaves a library of other sources for the other."""
    module, built = script(), []
    monkeypatch.setattr(module, "LOCK", tmp_path / "native.sha256")
    monkeypatch.setattr(
        module,
        "build",
        lambda name, processor, *_: (
            built.append((name, processor)) or module.LIBRARIES[name] / "source/library.c"
        ),
    )
    assert module.main(["--only", "x86_64"]) == 0
    assert built == [("calibrated", "x86_64"), ("pictures", "x86_64")]
    assert module.main(["--check"]) == 1
    assert module.main([]) == 0
    assert len(built) == 6
    assert module.main(["--check"]) == 0


@pytest.mark.slow
def test_the_same_compiler_makes_the_same_bytes() -> None:
    module = script()
    target = module.TARGETS.get(platform.machine())
    try:
        found = subprocess.run(
            [target.compiler, "-dumpfullversion"], capture_output=True, text=True, check=False
        )
    except (AttributeError, FileNotFoundError):
        pytest.skip("no compiler for this machine")
    if found.stdout.strip() != module.COMPILER_VERSION:
        pytest.skip(f"gcc {found.stdout.strip()}, not {module.COMPILER_VERSION}")
    assert module.main(["--compare"]) == 0


def test_the_libraries_are_in_the_package_and_small() -> None:
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    data = pyproject["tool"]["setuptools"]["package-data"]
    for name, package in PACKAGES.items():
        assert data[package] == ["lib/*.so"]
        folder = ROOT / package.replace(".", "/") / "lib"
        libraries = sorted(path.name for path in folder.iterdir())
        assert libraries == [f"{name}-aarch64.so", f"{name}-x86_64.so"]
        assert sum((folder / each).stat().st_size for each in libraries) < 336 << 10


def test_the_libraries_load_no_others() -> None:
    """So that they run with any C library, and no missing one keeps them from it."""
    for path in script().libraries():
        data = path.read_bytes()
        assert data[:4] == b"\x7fELF", path.name
        for name in (b"libc.", b"libgcc", b"GLIBC_", b"ld-linux"):
            assert name not in data, (path.name, name)


def test_every_image_gets_the_libraries() -> None:
    """The images copy `shared`, of which .dockerignore leaves out nothing that is a library."""
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    stages = re.split(r"^FROM \S+ AS ([\w-]+)$", dockerfile, flags=re.MULTILINE)[1:]
    running = {
        name: text for name, text in zip(stages[::2], stages[1::2], strict=True) if "sbom.cdx.json" in text
    }
    assert set(running) >= {"edge", "cloud", "cloud-torch", "bundle"}
    for name, text in running.items():
        assert "COPY shared shared" in text, name
    for path in script().libraries():
        named, kept = path.relative_to(ROOT).as_posix(), False
        for rule in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines():
            pattern = rule.removeprefix("!").removeprefix("**/")
            if rule and not rule.startswith("#") and any(fnmatch(part, pattern) for part in named.split("/")):
                kept = rule.startswith("!")
        assert kept, named


@pytest.mark.slow
def test_a_wheel_holds_the_libraries(tmp_path: Path) -> None:
    pytest.importorskip("setuptools")
    sources = tmp_path / "sources"
    left_out = shutil.ignore_patterns(".*", "build", "*.egg-info", "__pycache__", "tests", "docs", "findings")
    shutil.copytree(ROOT, sources, ignore=left_out)
    build = f"import setuptools.build_meta as build; build.build_wheel({str(tmp_path)!r})"
    subprocess.run(
        [sys.executable, "-W", "ignore", "-c", build], cwd=sources, check=True, capture_output=True
    )
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    for path in script().libraries():
        assert path.relative_to(ROOT).as_posix() in names
