"""A small network that calibration tests share."""

from __future__ import annotations

import pytest
from kits.bundles import MIDDLE, tiny
from kits.engines import engine_of

from shared.engines.load import Network


@pytest.fixture(scope="session")
def tiny_network() -> Network:
    """At a split point whose tensors are rectified; it comes from no torch network."""
    return Network(tiny(), tiny().partition.point(MIDDLE), engine_of("float32"))
