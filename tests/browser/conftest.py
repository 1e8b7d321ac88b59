"""One Chromium for all tests; each has tabs of its own, which remember nothing. Where there is none, they are skipped and say so."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if not shutil.which("chromium"):
        pytest.skip("no chromium here")
    from bench.load.page.browser import chromium

    with chromium() as browser:
        yield browser
