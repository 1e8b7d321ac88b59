"""What is installed: every package of the project, and for each part the distributions that it imports."""

import ast
import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
EXTRAS = PYPROJECT["project"]["optional-dependencies"]
OURS = {"shared", "edge", "cloud", "bench", "splitdnn"}
DISTRIBUTIONS = {"cv2": "opencv-python-headless", "PIL": "pillow", "prometheus_client": "prometheus-client",
                 "pydantic_settings": "pydantic-settings", "pydantic": "pydantic-settings", "paho": "paho-mqtt"}  # fmt: skip
"""Where it is not named as what is imported; pydantic comes with pydantic-settings."""
OPTIONAL = ("shared/torch_network/", "shared/engines/torch_engine.py", "shared/bundling/sources/",
            "shared/security/tls/authority.py", "shared/security/tls/authority_command.py", "shared/codecs/video/", "shared/wire/page/", "shared/wire/server/")  # fmt: skip
"""What is imported only where torch, onnxruntime, cryptography or PyAV is there, and by those who serve only, tornado."""


def names(pins):
    return {re.match(r"[\w.-]+", pin)[0] for pin in pins}


def imported(path):
    """The distributions that importing this file needs: imports in functions and for type checkers are left out."""
    found, waiting = set(), list(ast.parse(path.read_text(encoding="utf-8")).body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module)
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            waiting += node.orelse
        elif isinstance(node, (ast.If, ast.Try, ast.With, ast.ClassDef)):
            waiting += [each for each in ast.walk(node) if isinstance(each, (ast.Import, ast.ImportFrom))]
    roots = {name.partition(".")[0] for name in found} - OURS - set(sys.stdlib_module_names)
    return {DISTRIBUTIONS.get(root, root) for root in roots}


def missing(folder, pins):
    """`file: distribution` for each import that `pins` do not cover."""
    files = sorted((ROOT / folder).rglob("*.py"))
    assert files, folder
    return [
        f"{label}: {name}"
        for path in files
        if not (label := path.relative_to(ROOT).as_posix()).startswith(OPTIONAL)
        for name in sorted(imported(path) - names(pins))
    ]


def test_every_package_is_listed():
    folders = {path.parent for top in OURS for path in (ROOT / top).rglob("__init__.py")}
    found = {folder.relative_to(ROOT).as_posix().replace("/", ".") for folder in folders}
    assert len(found) > 20
    assert found == set(PYPROJECT["tool"]["setuptools"]["packages"])


def test_each_part_imports_only_what_its_extra_installs():
    base = PYPROJECT["project"]["dependencies"]
    for folder, extra in {
        "shared": [],
        "splitdnn": EXTRAS["edge"],
        "edge": EXTRAS["edge"],
        "cloud": EXTRAS["cloud"],
    }.items():
        assert missing(folder, [*base, *extra]) == [], folder


def test_an_import_that_is_not_installed_would_be_found(tmp_path):
    path = tmp_path / "module.py"
    path.write_text(
        "import numpy, torch\nif TYPE_CHECKING:\n    import timm\nelse:\n    import onnx\n"
        "try:\n    import cv2.dnn\nexcept ImportError:\n    pass\ndef later():\n    import aiohttp\n"
    )
    assert imported(path) == {"numpy", "torch", "onnx", "opencv-python-headless"}


def test_an_extra_is_pinned_as_elsewhere():
    pins = [pin for extra in EXTRAS.values() for pin in extra] + PYPROJECT["project"]["dependencies"]
    versions = {}
    for pin in pins:
        name, separator, version = pin.partition("==")
        assert separator, pin
        assert versions.setdefault(name, version) == version, pin
