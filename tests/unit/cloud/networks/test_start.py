"""The folder that a cloud follows from its start."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from kits.bundles import tiny
from kits.cloud import Server

from cloud.networks.folder import BundleFolder

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.slow
def test_a_folder_that_is_being_replaced_at_the_first_look_is_followed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    named, looks = BundleFolder.named, []

    def missed(model: str) -> BundleFolder | None:
        looks.append(model)
        return named(model) if len(looks) > 1 else None

    monkeypatch.setattr(BundleFolder, "named", missed)
    folder: Path = tiny().folder
    with Server(model=str(folder)) as server:
        assert server.service.watch
        assert looks == [str(folder)] * 2
