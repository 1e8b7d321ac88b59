"""What the tests of the cloud share: a network of a few lines of numpy, as a bundle."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from kits.numpy_network import network_of, write_bundle

if TYPE_CHECKING:
    from shared.engines.load import Network
    from shared.network.bundle import Bundle
    from shared.network.model import Model
    from shared.network.partition import Partition


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """Shared by all tests: leave it as it is."""
    return write_bundle(tmp_path_factory.mktemp("bundle"))


@pytest.fixture(scope="session")
def network(bundle: Bundle) -> Network:
    """For what computes: heads for what crosses, tails for what the cloud must answer."""
    return network_of(bundle)


@pytest.fixture(scope="session")
def model(bundle: Bundle) -> Model:
    return bundle.model


@pytest.fixture(scope="session")
def partition(bundle: Bundle) -> Partition:
    return bundle.partition
