"""The library for pictures: all instructions give the same bytes, on ARM too, and none reads or writes out of bounds."""

from __future__ import annotations

import platform
import shutil
from typing import TYPE_CHECKING

import pytest
from kits.common import ROOT
from kits.native_builds import built, printed

if TYPE_CHECKING:
    from pathlib import Path

CHECK = ROOT / "tests/kits/pictures_check.c"
HASH = "03945faf3ba08c0c"
"""What every processor prints."""

pytestmark = pytest.mark.slow


def test_nothing_is_read_or_written_out_of_bounds_and_all_instructions_give_the_same(tmp_path: Path) -> None:
    sanitized = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-g")
    found = printed(
        str(built("pictures", CHECK, tmp_path, platform.machine(), "-Wno-sign-compare", *sanitized))
    ).split()
    assert found
    assert set(found) == {HASH}


def test_arm_gives_the_same(tmp_path: Path) -> None:
    if shutil.which("qemu-aarch64") is None:
        pytest.skip("nothing runs ARM's instructions here")
    program = built("pictures", CHECK, tmp_path, "aarch64", "-Wno-sign-compare", "-static")
    assert printed("qemu-aarch64", str(program)).split() == [HASH]
