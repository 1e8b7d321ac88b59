"""The public names: lazy, typed, complete, and behind nobody else's imports."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import splitdnn

ROOT = Path(__file__).resolve().parents[3]
INIT = ROOT / "splitdnn" / "__init__.py"
HEAVY = (
    "torch",
    "torchvision",
    "cv2",
    "openvino",
    "numpy",
    "PIL",
    "aiohttp",
    "tornado",
    "pydantic",
    "asyncio",
)


def for_type_checkers() -> dict[str, tuple[str, ...]]:
    """What the block under TYPE_CHECKING imports, by module."""
    (block,) = (
        node
        for node in ast.parse(INIT.read_text(encoding="utf-8")).body
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    )
    assert all(isinstance(node, ast.ImportFrom) for node in block.body)
    return {node.module: tuple(alias.name for alias in node.names) for node in block.body}


def test_type_checkers_see_what_is_loaded():
    assert for_type_checkers() == splitdnn._HOMES


def test_all_names_are_the_table_and_the_version():
    assert sorted(splitdnn.__all__) == sorted(["__version__", *splitdnn._MODULE_OF])
    assert len(set(splitdnn.__all__)) == len(splitdnn.__all__)
    assert set(splitdnn.__all__) <= set(dir(splitdnn))


def test_every_name_is_its_rooms():
    for name, module in splitdnn._MODULE_OF.items():
        assert getattr(splitdnn, name) is getattr(import_module(module), name), name


def test_a_name_is_no_module_of_the_package():
    # `import splitdnn.client` binds `client`, which must not hide a public name.
    modules = {path.stem for path in INIT.parent.glob("*.py")}
    assert modules.isdisjoint(splitdnn.__all__)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="'splitdnn' has no attribute 'SplitNet'"):
        splitdnn.SplitNet  # noqa: B018
    with pytest.raises(ImportError):
        from splitdnn import SplitNet  # noqa: F401


def test_the_package_says_that_it_has_types():
    assert (INIT.parent / "py.typed").read_bytes() == b""


def loaded_by(statement: str) -> list[str]:
    """Which of the heavy modules a fresh interpreter has after this statement."""
    script = f"{statement}; import sys; print(*(name for name in {HEAVY!r} if name in sys.modules))"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout.split()


@pytest.mark.parametrize(
    ("statement", "allowed"),
    [
        ("import splitdnn", set()),
        ("import splitdnn; dir(splitdnn); splitdnn.SplitDNNError; splitdnn.Frame; splitdnn.unpack", set()),
        ("from splitdnn import make_codec, Profile, unpack", {"numpy"}),
        ("from splitdnn import Conditions, LinkState, Objective, Option, choose, decide, predict", set()),
        ("from splitdnn import Client", {"numpy", "aiohttp", "asyncio"}),
    ],
)
def test_a_name_brings_no_more_than_it_needs(statement, allowed):
    assert set(loaded_by(statement)) <= allowed


def test_nothing_of_the_three_imports_the_package_in_front_of_them():
    importers = [
        path.relative_to(ROOT).as_posix()
        for room in ("shared", "edge", "cloud", "bench")
        for path in (ROOT / room).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if (isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "splitdnn")
        or (
            isinstance(node, ast.Import) and any(each.name.split(".")[0] == "splitdnn" for each in node.names)
        )
    ]
    assert importers == []


def test_type_checkers_do_not_see_the_function_that_loads():
    # One that returns Any would make every misspelt name valid.
    functions = [
        node.name
        for node in ast.parse(INIT.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef)
    ]
    assert functions == ["__dir__"]
