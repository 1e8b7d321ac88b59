"""A cache whose folder does not exist yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from shared.process.cache.folder import Cache


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "not" / "there" / "yet"


@pytest.fixture
def cache(folder: Path) -> Cache:
    from shared.process.cache.folder import Cache

    return Cache(str(folder))
