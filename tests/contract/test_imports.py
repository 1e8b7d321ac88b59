"""The architecture of DESIGN.md as a test: who imports whom, who reads the environment, how long a file may be."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("shared", "edge", "cloud", "bench", "splitdnn")


def files(*packages: str) -> list[Path]:
    return [path for package in packages for path in sorted((ROOT / package).rglob("*.py"))]


def label(path: Path) -> str:
    return path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else path.name


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=label(path))


def imports(path: Path) -> set[str]:
    """Dotted names of everything that a file imports, wherever in the file."""
    found = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{label(path)}:{node.lineno}: relative imports hide who imports whom"
            found |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module or ""}
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in (
            "__import__",
            "importlib.import_module",
        ):
            found |= {str(argument.value) for argument in node.args if isinstance(argument, ast.Constant)}
    return found


def importers(root: str, *packages: str) -> set[str]:
    """The files of these packages that import the top-level package `root`."""
    return {
        label(path) for path in files(*packages) if root in {name.split(".")[0] for name in imports(path)}
    }


def environment_reads(path: Path) -> list[int]:
    """Lines that read the environment: those that touch it, but for those that only tell a library something."""
    names = {"environ", "environb", "getenv", "getenvb"}
    told = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store):
            told.add(id(node.value))  # os.environ["NAME"] = value
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            function = node.value.func  # os.environ.setdefault("NAME", value), its result unused
            if isinstance(function, ast.Attribute) and function.attr == "setdefault":
                told.add(id(function.value))
    return [
        node.lineno
        for node in ast.walk(tree(path))
        if (isinstance(node, ast.Attribute) and node.attr in names and id(node) not in told)
        or (
            isinstance(node, ast.ImportFrom)
            and node.module == "os"
            and names & {alias.name for alias in node.names}
        )
    ]


# --- who imports whom -------------------------------------------------------------------------------------------------


def test_there_is_something_to_check() -> None:
    assert {"shared/wire/frame.py", "shared/process/settings.py", "shared/network/bundle.py"} <= {
        label(path) for path in files("shared")
    }
    assert "numpy" in imports(ROOT / "shared" / "codecs" / "zstd.py") | imports(
        ROOT / "shared" / "codecs" / "int8.py"
    )
    assert importers("shared", "shared")


@pytest.mark.parametrize(
    ("package", "stranger"),
    [
        ("shared", "edge"),
        ("shared", "cloud"),
        ("shared", "bench"),
        ("edge", "cloud"),
        ("edge", "bench"),
        ("cloud", "edge"),
        ("cloud", "bench"),
    ],
)
def test_a_package_does_not_import_a_stranger(package: str, stranger: str) -> None:
    assert importers(stranger, package) == set()


def test_only_vision_imports_torchvision() -> None:
    assert importers("torchvision", *PACKAGES) == {"shared/torch_network/vision.py"}


def test_torch_is_imported_only_where_networks_come_from_it_or_run_on_gpus() -> None:
    rooms = ("shared/torch_network/", "shared/bundling/sources/")
    found = importers("torch", *PACKAGES)
    assert {name for name in found if not name.startswith(rooms)} == {
        "shared/engines/torch_engine.py",
        "edge/calibration/gradients.py",
        "cloud/batching/tail_times.py",  # the name of the GPU that the torch engine uses
    }


@pytest.mark.parametrize("module", ["cv2", "aiohttp"])
def test_the_edges_libraries_are_not_imported_elsewhere(module: str) -> None:
    assert importers(module, "shared", "cloud") == set()


def test_tornado_is_imported_by_server_and_pages_of_both_sides_and_by_nothing_else_of_shared() -> None:
    found = importers("tornado", "shared")
    assert found
    assert {
        name for name in found if not name.startswith(("shared/wire/server/", "shared/wire/page/"))
    } == set()


@pytest.mark.parametrize("module", ["shared.wire.frame", "shared.codecs", "cloud.bodies.json.worker"])
def test_the_core_loads_without_torch_pictures_or_a_network(module: str) -> None:
    unwanted = [
        "torch",
        "torchvision",
        "cv2",
        "PIL",
        "tornado",
        "aiohttp",
        "pydantic",
        "prometheus_client",
        "asyncio",
    ]
    script = f"import sys, {module}; print(*(name for name in {unwanted!r} if name in sys.modules))"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    result = subprocess.run(
        [sys.executable, "-c", script], env=environment, cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert result.stdout.split() == []


# --- the environment --------------------------------------------------------------------------------------------------


def test_only_settings_reads_the_environment() -> None:
    found = {label(path): environment_reads(path) for path in files("shared", "edge", "cloud")}
    assert found.pop("shared/process/settings.py")
    assert {name: lines for name, lines in found.items() if lines} == {}


@pytest.mark.parametrize(
    ("line", "reads"),
    [
        ("os.environ['A'] = 'b'", 0),
        ("os.environ.setdefault('A', 'b')", 0),
        ("a = os.environ.setdefault('A', 'b')", 1),
        ("a = os.environ['A']", 1),
        ("print(os.environ.get('A'))", 1),
        ("os.getenv('A')", 1),
        ("from os import environ", 1),
    ],
)
def test_what_counts_as_reading_the_environment(line: str, reads: int, tmp_path: Path) -> None:
    path = tmp_path / "example.py"
    path.write_text(line)
    assert len(environment_reads(path)) == reads


# --- nothing that runs what it reads ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "module", ["pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"]
)
def test_nothing_imports_a_format_that_runs_code(module: str) -> None:
    assert importers(module, *PACKAGES, "scripts") == set()


def own_names(path: Path) -> set[str]:
    """Names that a file imports from the project's own packages."""
    return {
        alias.asname or alias.name
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in PACKAGES
        for alias in node.names
    }


def test_weights_are_loaded_as_weights_only() -> None:
    loads = [
        (label(path), node)
        for path in files(*PACKAGES, "scripts")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func).split(".")[-1] in ("load", "get_state_dict", "load_state_dict_from_url")
        and ast.unparse(node.func).split(".")[0]
        # The last two are entry points, which name modules of installed packages.
        not in {"json", "np", "numpy", "safetensors", "yaml", "tomllib", "entry", "offer", *own_names(path)}
    ]
    assert any(name == "shared/torch_network/weights/reading.py" for name, _ in loads)
    for name, node in loads:
        arguments = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
        assert arguments.get("weights_only") == "True", f"{name}:{node.lineno}"


def test_nothing_evaluates_text() -> None:
    found = [
        f"{label(path)}:{node.lineno}"
        for path in files("shared", "edge", "cloud")
        for node in ast.walk(tree(path))
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in ("eval", "exec")
        )
        or (
            isinstance(node, ast.keyword)
            and node.arg == "allow_pickle"
            and ast.unparse(node.value) != "False"
        )
    ]
    assert found == []
