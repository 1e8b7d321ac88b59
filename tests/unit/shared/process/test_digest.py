"""SHA-256 of files of all sizes around the size of a block."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from shared.process import digest
from shared.process.digest import sha256_of

if TYPE_CHECKING:
    from pathlib import Path


def test_it_is_that_of_the_whole_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digest, "_BLOCK", 10)
    for size in (0, 1, 9, 10, 11, 20, 25):
        data = bytes(range(size))
        (tmp_path / "file").write_bytes(data)
        assert sha256_of(tmp_path / "file") == hashlib.sha256(data).hexdigest(), size


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        sha256_of(tmp_path / "file")
