"""The compiled core gives the same by all instructions, here and on ARM, and stays within its memory."""

from __future__ import annotations

import platform
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from kits.common import ROOT
from kits.native_builds import built, printed

if TYPE_CHECKING:
    from pathlib import Path

CHECK = ROOT / "tests/kits/native_check.c"
EXPECTED = (ROOT / "tests/golden/native.txt").read_text(encoding="utf-8")
"""What the processors have always printed."""

pytestmark = pytest.mark.slow


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
        "calibrated",
        CHECK,
        tmp_path,
        platform.machine(),
        "-fsanitize=address,undefined",
        "-fno-sanitize-recover=all",
        "-g",
    )
    assert printed("env", "ASAN_OPTIONS=detect_leaks=0", str(program)) == EXPECTED


def test_another_processor_gives_the_same(tmp_path: Path) -> None:
    emulator = shutil.which("qemu-aarch64") or shutil.which("qemu-aarch64-static")
    if emulator is None:
        pytest.skip("no emulator of ARM")
    assert printed(emulator, str(built("calibrated", CHECK, tmp_path, "aarch64", "-static"))) == EXPECTED
