"""The compiled core gives the same by all instructions, here and on ARM, and stays within its memory."""

from __future__ import annotations

import importlib.util
import platform
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CHECK = ROOT / "tests/kits/native_check.c"
EXPECTED = (ROOT / "tests/golden/native.txt").read_text(encoding="utf-8")
"""What the processors have always printed."""

pytestmark = pytest.mark.slow


def built(into: Path, processor: str, *more: str) -> Path:
    """The program of kits/native_check.c."""
    spec = importlib.util.spec_from_file_location("native", ROOT / "scripts/native.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    target = script.TARGETS.get(processor)
    if target is None or shutil.which(target.compiler) is None:
        pytest.skip(f"no compiler for {processor}")
    common = [
        target.compiler,
        *script._FLAGS.split(),
        *more,
        "-I",
        str(script.LIBRARIES["calibrated"] / "source"),
    ]
    objects = []
    for name, flags in target.levels.items():
        objects.append(str(into / f"{name}.o"))
        source = str((script.LIBRARIES["calibrated"] / "source") / "level.c")
        subprocess.run(
            [*common, *flags.split(), f"-DLEVEL={name}", "-c", source, "-o", objects[-1]], check=True
        )
    program = into / "check"
    subprocess.run(
        [
            *common,
            str(CHECK),
            str((script.LIBRARIES["calibrated"] / "source") / "library.c"),
            *objects,
            "-o",
            str(program),
        ],
        check=True,
    )
    return program


def printed(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=200).stdout


def test_all_instructions_of_this_processor_give_the_same(tmp_path: Path) -> None:
    library = ROOT / f"shared/codecs/calibrated/native/lib/calibrated-{platform.machine()}.so"
    if shutil.which("gcc") is None or not library.exists():
        pytest.skip("no compiler, or no library, for this machine")
    program = tmp_path / "check"
    sources = ROOT / "shared/codecs/calibrated/native/source"
    subprocess.run(["gcc", "-std=c11", "-I", sources, CHECK, library, "-o", program], check=True)
    assert printed(str(program)) == EXPECTED


def test_nothing_is_read_or_written_out_of_bounds(tmp_path: Path) -> None:
    program = built(
        tmp_path, platform.machine(), "-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-g"
    )
    assert printed("env", "ASAN_OPTIONS=detect_leaks=0", str(program)) == EXPECTED


def test_another_processor_gives_the_same(tmp_path: Path) -> None:
    emulator = shutil.which("qemu-aarch64") or shutil.which("qemu-aarch64-static")
    if emulator is None:
        pytest.skip("no emulator of ARM")
    assert printed(emulator, str(built(tmp_path, "aarch64", "-static"))) == EXPECTED
