"""What a page weighs, and how soon a browser shows it."""

from __future__ import annotations

import gzip
import time
import urllib.request
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from playwright.sync_api import Browser

PAGES = {"edge": "/", "cloud": "/page"}
"""The path of each side's page."""
_TIMEOUT_S = 30.0
_SHOWN = {"/": "[data-camera]", "/page": "#networks tr"}
"""What is in a page, by its path, once it has shown a state."""
_WATCH = """(() => {
  const look = () => document.querySelector(%r) ? window.benchShown = performance.now() : requestAnimationFrame(look);
  requestAnimationFrame(look);
})()"""
_TIMES = """() => [performance.getEntriesByName('first-contentful-paint')[0]?.startTime, window.benchShown]"""


class Paint(NamedTuple):
    """When a browser first showed something of a page, since the navigation to it."""

    first_s: float
    """Its first text or picture."""
    useful_s: float
    """Its first state."""


def weigh(url: str) -> tuple[int, int]:
    """Bytes of a page, and of it compressed. Raises OSError."""
    with urllib.request.urlopen(url, timeout=_TIMEOUT_S) as answer:
        body = answer.read()
    return len(body), len(gzip.compress(body))


def paint(browser: Browser, url: str) -> Paint:
    """Load a page in a browser context that knows nothing yet. Raises RuntimeError if it shows nothing."""
    path = "/" + url.split("/", 3)[3]
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    try:
        context.add_init_script(_WATCH % _SHOWN[path])
        page = context.new_page()
        page.goto(url, wait_until="domcontentloaded", timeout=1e3 * _TIMEOUT_S)
        deadline = time.monotonic() + _TIMEOUT_S
        while time.monotonic() < deadline:
            first, shown = page.evaluate(_TIMES)
            if first is not None and shown is not None:
                return Paint(first / 1e3, shown / 1e3)
            page.wait_for_timeout(20)
    finally:
        context.close()
    raise RuntimeError(f"{url} shows nothing within {_TIMEOUT_S:g} s")
