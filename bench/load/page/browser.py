"""Debian's Chromium without a window."""

from __future__ import annotations

import contextlib
import shutil
from typing import TYPE_CHECKING

# Playwright and not Selenium: it drives Chromium by itself, without a program that must be of the very same version, waits until an
# element can be used, and the package with a recent axe-core (4.12, beside 4.4 and older) builds on it. It is the larger one: 165 MB, a
# Node.js among them. It downloads no browser here.
from playwright.sync_api import sync_playwright

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

CHROMIUM = shutil.which("chromium")
"""None where there is none."""
_START_MS = 60_000
_FLAGS = (
    "--no-sandbox",  # CI is root
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",  # which is small in containers
)


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """A Chromium with an empty profile of its own, which is removed with it. Each of its contexts remembers nothing of the others.

    Raises RuntimeError if there is none.
    """
    if not CHROMIUM:
        raise RuntimeError("no chromium here; Debian's package of that name has it")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=_FLAGS, headless=True, timeout=_START_MS
        )
        try:
            yield browser
        finally:
            browser.close()
