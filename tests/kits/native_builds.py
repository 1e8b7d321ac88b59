"""Programs of the compiled libraries' sources, which show what they compute: built as scripts/native.py builds the libraries."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from kits.common import ROOT

if TYPE_CHECKING:
    from pathlib import Path


def script() -> Any:
    """scripts/native.py."""
    spec = importlib.util.spec_from_file_location("native", ROOT / "scripts/native.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def built(library: str, check: Path, into: Path, processor: str, *more: str) -> Path:
    """The program of `check`, with the library's sources at all levels of the processor. Skips the test without a compiler for it."""
    native = script()
    target = native.TARGETS.get(processor)
    if target is None or shutil.which(target.compiler) is None:
        pytest.skip(f"no compiler for {processor}")
    source = native.LIBRARIES[library] / "source"
    common = [target.compiler, *native._FLAGS.split(), *more, "-I", str(source)]
    objects = []
    for name, flags in target.levels.items():
        if name not in native._LEFT_OUT.get(library, ()):
            objects.append(str(into / f"{name}.o"))
            level = [*flags.split(), f"-DLEVEL={name}", "-c", str(source / "level.c"), "-o", objects[-1]]
            subprocess.run([*common, *level], check=True)
    program = into / "check"
    files = [str(check), str(source / "library.c"), *objects, "-o", str(program)]
    subprocess.run([*common, *files], check=True)
    return program


def printed(*command: str) -> str:
    """What a program prints. Raises if it fails."""
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=200).stdout
