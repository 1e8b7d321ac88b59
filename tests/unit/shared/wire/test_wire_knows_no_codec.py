"""The wire format is a layer of its own: it can be read without any codec, torch or a socket."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import shared.wire

FOLDER = Path(shared.wire.__file__).parent
ROOT = FOLDER.parents[1]
ALLOWED = {"shared.errors", "shared.limits", "shared.wire"}


def imports(path: Path) -> set[str]:
    """Modules that a file imports, for types only as well."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module == "shared":
            found |= {f"shared.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
    return found


def test_the_wire_imports_nothing_but_errors_limits_and_the_standard_library() -> None:
    for path in (*FOLDER.glob("*.py"), *(FOLDER / "session").glob("*.py")):
        ours = {name for name in imports(path) if name.partition(".")[0] not in sys.stdlib_module_names}
        assert {name for name in ours if ".".join(name.split(".")[:2]) not in ALLOWED} == set(), path.name


def test_a_process_that_reads_frames_loads_no_codec() -> None:
    unwanted = ["shared.codecs", "numpy", "torch", "zstandard", "PIL", "asyncio", "socket"]
    script = (
        "import sys, shared.wire.frame, shared.wire.http, shared.wire.session.cloud, shared.wire.session.edge; "
        f"print(*(name for name in {unwanted!r} if name in sys.modules))"
    )
    run = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert run.stdout.split() == []
