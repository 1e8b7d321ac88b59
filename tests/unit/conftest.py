"""What several files of unit tests share: one small network, built once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from shared.network.model import Model
    from shared.network.partition import Partition


@pytest.fixture(scope="session")
def resnet18() -> Model:
    """Seeded random weights, on the CPU. Shared by all tests: leave it as it is."""
    from shared.network.model import load_model

    return load_model("resnet18", "random")


@pytest.fixture(scope="session")
def cache_dir(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Where the tests of one run keep converted networks; never the user's own folder."""
    return str(tmp_path_factory.mktemp("converted"))


@pytest.fixture(scope="session")
def partition(resnet18: Model) -> Partition:
    from shared.network.partition import Partition

    return Partition(resnet18.network, resnet18.recipe.tensor_shape)
