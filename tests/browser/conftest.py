"""One Chromium, one cloud and one detector for all tests; each has tabs and edges of its own. Without a Chromium they are skipped and say so."""

from __future__ import annotations

import contextlib
import shutil
from typing import TYPE_CHECKING

import pytest
from kits import colour_detector
from kits.deployments import LocalDeployment
from kits.page_edge import page_edge

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kits.page_edge import PageEdge
    from playwright.sync_api import Browser


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if not shutil.which("chromium"):
        pytest.skip("no chromium here")
    from bench.load.page.browser import chromium

    with chromium() as browser:
        yield browser


@pytest.fixture(scope="session")
def colours(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The folder of the bundle of the small detector of colours."""
    folder = tmp_path_factory.mktemp("colours")
    network, labels = colour_detector.write_detector(folder)
    return str(colour_detector.make_bundle(network, labels, folder / "bundle").folder)


@pytest.fixture(scope="session")
def system(browser: Browser, colours: str) -> Iterator[LocalDeployment]:  # without a browser it is not needed
    system = LocalDeployment(model=colours, precision="float32")
    try:
        yield system
    finally:
        system.close()


@pytest.fixture
def edge(system: LocalDeployment) -> Iterator[Callable[..., PageEdge]]:
    """Starts an edge, which ends with the test."""
    with contextlib.ExitStack() as ends:

        def start(**settings: str) -> PageEdge:
            return ends.enter_context(page_edge(system, **settings))

        yield start
