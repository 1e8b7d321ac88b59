"""A folder that is followed, and memory that is given back in no time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from kits.watching import Follower

from cloud.networks import watch

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def follower(tmp_path: Path) -> Follower:
    return Follower(tmp_path / "bundle")


@pytest.fixture(autouse=True)
def given_back(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Memory is given back once for every drop; here that takes no time."""
    calls: list[bool] = []
    monkeypatch.setattr(watch, "give_back", lambda: calls.append(True))
    return calls
