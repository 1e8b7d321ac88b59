"""The house: rooms of bounded size, files of one noun, no circles, and tests that mirror the packages."""

import ast
import re
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("shared", "edge", "cloud", "bench", "splitdnn")
MAX_LINES = 250
MAX_ENTRIES = 12
ODD_TEST_FOLDERS = {"scripts"}  # of a folder that is no package


def files(*folders):
    return [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


def label(path):
    return path.relative_to(ROOT).as_posix()


def module_of(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def arrows(modules):
    """Module -> modules that it imports, type-only imports included."""
    found = defaultdict(set)
    for name, path in modules.items():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found[name] |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                inside = {f"{node.module}.{alias.name}" for alias in node.names}
                found[name] |= {one if one in modules else node.module for one in inside}
    return {name: {other for other in found[name] if other in modules and other != name} for name in modules}


def circles(graph):
    """Groups of modules that import each other, by repeatedly taking away what imports nothing that is left."""
    left = {name: set(others) for name, others in graph.items()}
    while free := [name for name, others in left.items() if not others & left.keys()]:
        for name in free:
            del left[name]
    while free := [name for name in left if not any(name in others for others in left.values())]:
        for name in free:
            del left[name]
    return sorted(left)


def test_no_modules_import_each_other():
    modules = {module_of(path): path for path in files(*PACKAGES)}
    graph = arrows(modules)
    assert sum(map(len, graph.values())) > 100, "nothing was found"
    assert circles(graph) == []


def test_a_circle_would_be_found():
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a"}}) == ["b", "c"]
    assert circles({"a": {"b"}, "b": {"c"}, "c": set()}) == []


def test_a_file_is_short_enough_to_be_one_noun():
    lines = {
        label(path): len(path.read_text(encoding="utf-8").splitlines())
        for path in files(*PACKAGES, "scripts", "tests")
    }
    assert {name: count for name, count in lines.items() if count > MAX_LINES} == {}


def test_a_room_has_at_most_a_dozen_entries():
    rooms = [ROOT / package for package in PACKAGES]
    rooms += [path.parent for package in PACKAGES for path in (ROOT / package).rglob("*/__init__.py")]
    crowded = {}
    for room in rooms:
        entries = [
            path.name
            for path in room.iterdir()
            if path.name not in {"__pycache__", "__init__.py", "py.typed", "results"} and path.suffix != ".md"
        ]
        if len(entries) > MAX_ENTRIES:
            crowded[label(room)] = len(entries)
    assert crowded == {}


def test_every_room_says_what_it_is():
    for path in files(*PACKAGES):
        if path.name == "__init__.py":
            assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))), label(path)


def test_unit_tests_mirror_the_packages():
    folders = {
        path.parent.relative_to(ROOT / "tests/unit") for path in (ROOT / "tests/unit").rglob("test_*.py")
    }
    strangers = [
        folder.as_posix()
        for folder in folders
        if folder.parts[0] not in ODD_TEST_FOLDERS and not (ROOT / folder).is_dir()
    ]
    assert strangers == []


def test_docstrings_begin_with_what_a_thing_is():
    """ "Of the edge's frames" says whose a thing is and leaves out what it is."""
    found = []
    for path in files(*PACKAGES, "scripts", "tests"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                found += [(label(path), ast.get_docstring(node))]
            elif (
                isinstance(node, ast.Expr)
                and isinstance(node.value, ast.Constant)
                and isinstance(node.value.value, str)
            ):
                found += [(label(path), node.value.value)]
    assert [(name, text) for name, text in found if text and re.match(r"Of\b", text.strip())] == []


def test_old_paths_are_gone():
    for name in (
        "shared/wire.py",
        "shared/network.py",
        "edge/pipeline.py",
        "edge/uplink.py",
        "cloud/door.py",
        "cloud/handlers.py",
    ):
        assert not (ROOT / name).exists(), name
