"""A bundle's name in the cache changes with everything that it depends on, and no module is imported for it."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

from shared.network.choice import NetworkChoice
from shared.network.making import bundle_key
from shared.network.making.bundle_key import bundle_name

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(path: Path, text: str = "x") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    os.utime(path, ns=(10**18, 10**18))


def depends(choice: NetworkChoice, path: Path) -> bool:
    """Whether the name changes with the length of this file, and with its time."""
    names = {bundle_name(choice)}
    write(path, "longer")
    names.add(bundle_name(choice))
    os.utime(path, ns=(2 * 10**18, 2 * 10**18))
    names.add(bundle_name(choice))
    write(path)
    assert len(names) in (1, 3), path
    return len(names) == 3


def test_the_name_is_one_that_the_cache_knows() -> None:
    name = bundle_name(NetworkChoice("resnet18"))
    assert name == bundle_name(NetworkChoice("resnet18"))
    kind, _, key = name.partition("-")
    assert (kind, len(key)) == ("bundle", 24)


def test_files_count_by_length_and_time(here: Path) -> None:
    for name in ("mine.pth", "names.txt", "net.onnx", "net.onnx.data", "net.xml", "net.bin", "other.bin", "builder.py",
                 "layers.py", "notes.txt", "pkg/__init__.py", "pkg/sub/net.py", "pkg/sub/data.txt", "single.py"):  # fmt: skip
        write(here / name)
    for choice, yes, no in (
        (
            NetworkChoice("resnet18", "mine.pth", labels="names.txt"),
            ("mine.pth", "names.txt"),
            ("net.onnx", "layers.py"),
        ),
        (NetworkChoice("net.onnx"), ("net.onnx", "net.onnx.data"), ("other.bin", "mine.pth")),
        (NetworkChoice(str(here / "net.xml")), ("net.xml", "net.bin"), ("other.bin",)),
        (NetworkChoice("builder.py:build"), ("builder.py", "layers.py"), ("notes.txt", "pkg/__init__.py")),
        (
            NetworkChoice("pkg.sub.net:build"),
            ("pkg/__init__.py", "pkg/sub/net.py"),
            ("pkg/sub/data.txt", "layers.py"),
        ),
        (NetworkChoice("single:build"), ("single.py",), ("layers.py",)),
        (NetworkChoice("timm:vit"), (), ("builder.py", "net.onnx")),
    ):
        for name in yes:
            assert depends(choice, here / name), (choice.model, name)
        for name in no:
            assert not depends(choice, here / name), (choice.model, name)


def test_installed_packages_are_found_without_being_imported(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(here / "site" / "faraway" / "__init__.py", "raise RuntimeError('imported')")
    write(here / "site" / "alone.py", "raise RuntimeError('imported')")
    (here / "work").mkdir()
    monkeypatch.chdir(here / "work")
    monkeypatch.syspath_prepend(str(here / "site"))
    for model, path in (("faraway.net:build", "faraway/__init__.py"), ("alone:build", "alone.py")):
        assert depends(NetworkChoice(model), here / "site" / path), model
    assert not {"faraway", "alone"} & set(sys.modules)


def test_odd_names_are_no_reason_to_fail(here: Path) -> None:
    write(here / "a[b]*.onnx")
    for model in (
        "",
        ":",
        "a\0b",
        "x" * 5000,
        "no.such.package:build",
        "..:f",
        "a[b]*.onnx",
        "a\nb",
        "/",
        "nothing.py:f",
    ):
        assert bundle_name(NetworkChoice(model)).startswith("bundle-"), model
    assert depends(NetworkChoice("a[b]*.onnx"), here / "a[b]*.onnx")


def test_versions_count(monkeypatch: pytest.MonkeyPatch) -> None:
    before = bundle_name(NetworkChoice("resnet18"))
    for package in bundle_key._PACKAGES:
        with monkeypatch.context() as patch:
            patch.setattr(
                bundle_key, "_version", lambda name, package=package: "99" if name == package else "1"
            )
            assert bundle_name(NetworkChoice("resnet18")) != before, package
    monkeypatch.setattr(bundle_key, "__version__", "0.0")
    assert bundle_name(NetworkChoice("resnet18")) != before
    assert bundle_key._version("no-such-package") == ""
