"""One cloud for all fault tests; after a test that has killed it, the next one gets a fresh one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from kits import chaos as chaos_kit

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[chaos_kit.Chaos]:
    with chaos_kit.running(tmp_path_factory.mktemp("chaos")) as system:
        yield system


@pytest.fixture
def chaos(system: chaos_kit.Chaos) -> Iterator[chaos_kit.Chaos]:
    system.ensure_up()
    try:
        yield system
    finally:
        system.end_edges()
