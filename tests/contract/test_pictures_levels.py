"""The library for pictures: all instructions give the same bytes, on ARM too, and none reads or writes out of bounds."""

from __future__ import annotations

import importlib.util
import platform
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CHECK = ROOT / "tests/kits/pictures_check.c"
HASH = "03945faf3ba08c0c"
"""What every processor prints."""

pytestmark = pytest.mark.slow


def built(into: Path, processor: str, *more: str) -> Path:
    """The program of kits/pictures_check.c, of these sources."""
    spec = importlib.util.spec_from_file_location("native", ROOT / "scripts/native.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    target = script.TARGETS.get(processor)
    if target is None or shutil.which(target.compiler) is None:
        pytest.skip(f"no compiler for {processor}")
    source = script.LIBRARIES["pictures"] / "source"
    common = [target.compiler, *script._FLAGS.split(), *more, "-I", str(source)]
    objects = []
    for name, flags in target.levels.items():
        if name not in script._LEFT_OUT["pictures"]:
            objects.append(str(into / f"{name}.o"))
            level = [*flags.split(), f"-DLEVEL={name}", "-c", str(source / "level.c"), "-o", objects[-1]]
            subprocess.run([*common, *level], check=True)
    program = into / "check"
    check = [str(CHECK), str(source / "library.c"), *objects, "-o", str(program)]
    subprocess.run([*common, "-Wno-sign-compare", *check], check=True)
    return program


def printed(*command: str) -> list[str]:
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=200)
    return done.stdout.split()


def test_nothing_is_read_or_written_out_of_bounds_and_all_instructions_give_the_same(tmp_path: Path) -> None:
    sanitized = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-g")
    found = printed(str(built(tmp_path, platform.machine(), *sanitized)))
    assert found
    assert set(found) == {HASH}


def test_arm_gives_the_same(tmp_path: Path) -> None:
    if shutil.which("qemu-aarch64") is None:
        pytest.skip("nothing runs ARM's instructions here")
    assert printed("qemu-aarch64", str(built(tmp_path, "aarch64", "-static"))) == [HASH]
