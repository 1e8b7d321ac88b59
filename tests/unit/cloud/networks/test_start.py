"""The folder that a cloud follows from its start."""

from __future__ import annotations

import shutil
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from kits.bundles import tiny
from kits.cloud import Server

from shared.network import find
from shared.network.bundle import previous_of

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.slow
def test_a_folder_that_is_being_replaced_at_the_first_look_is_followed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    here, new, waits = tmp_path / "net", tmp_path / "new", []
    for folder in (previous_of(here), new):
        shutil.copytree(tiny().folder, folder)

    def replaced(seconds: float) -> None:
        waits.append(seconds)
        new.rename(here)

    clocks = SimpleNamespace(sleep=replaced, time=time.time, perf_counter=time.perf_counter)
    monkeypatch.setattr(find, "time", clocks)
    with Server(model=str(here)) as server:
        assert server.service.watch
        assert len(waits) == 1
