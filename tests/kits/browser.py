"""Pages in Debian's Chromium as a person has them: what they show, say and ask for, whom they keep out, and how much they take."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, ConsoleMessage, Page, Request

WAIT_S = 30.0
WIDTHS = (360, 1280)
"""A phone and a desk, in pixels."""
SCHEMES = ("dark", "light")
_HEIGHT = 800
_POLL_MS = 20


@cache
def _axe() -> str:
    """axe-core 4.12.1 from its package."""
    return files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")


@dataclass
class Tab:
    """One page of a browser that remembers nothing, and what came of it."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    """Errors and warnings of its console (a refusal by the content security policy is one) and exceptions of its scripts."""
    asked: list[str] = field(default_factory=list)
    """Every address that it asked for."""

    def open(self, url: str) -> None:
        """Load a page, without waiting for what never ends."""
        self.page.goto(url, wait_until="domcontentloaded")

    def hosts(self) -> set[str]:
        """Whom it asked; data of the page itself is asked of nobody."""
        return {urlsplit(url).netloc for url in self.asked} - {""}

    def violations(self) -> list[str]:
        """What axe-core finds wrong, one line for each element."""
        self.page.evaluate(_axe())
        found = self.page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        return [
            f"{rule['id']}: {node['html'][:200]} ({node['failureSummary']})"
            for rule in found["violations"]
            for node in rule["nodes"]
        ]

    def size(self) -> Size:
        """How much it takes once nothing is left that could be thrown away."""
        session = self.page.context.new_cdp_session(self.page)
        try:
            session.send("Performance.enable")
            for _ in range(3):  # what one collection frees may hold more
                session.send("HeapProfiler.collectGarbage")
            told = {each["name"]: each["value"] for each in session.send("Performance.getMetrics")["metrics"]}
        finally:
            session.detach()
        return Size(int(told["JSHeapUsedSize"]), int(told["Nodes"]), int(told["JSEventListeners"]))

    def until(self, script: str, *, what: str, argument: Any = None, seconds: float = WAIT_S) -> Any:
        """Poll until an expression of JavaScript, or a function of `argument`, gives something true; that.

        Playwright's own wait evaluates strings within the page, which a content security policy forbids.
        """
        deadline = time.monotonic() + seconds
        while not (value := self._value(script, argument)):
            if time.monotonic() > deadline:
                raise AssertionError(f"not within {seconds:g} s: {what}\n{self.said()}")
            self.page.wait_for_timeout(_POLL_MS)
        return value

    def _value(self, script: str, argument: Any) -> Any:
        from playwright.sync_api import Error

        try:
            return self.page.evaluate(script, argument)
        except Error as error:
            if "context was destroyed" not in str(error):
                raise
            return None  # the page is loaded anew, and what is asked for may be in the next one

    def said(self) -> str:
        """For whoever looks for a failure."""
        return "\n".join(
            [self.page.url, self.page.locator("body").inner_text()[:3000], *self.complaints[-20:]]
        )


@dataclass(frozen=True)
class Size:
    """What a page takes of a browser."""

    heap_bytes: int
    nodes: int
    listeners: int


@contextlib.contextmanager
def tab(
    browser: Browser, *, width: int = WIDTHS[1], scheme: str = "light", height: int = _HEIGHT, **options: Any
) -> Iterator[Tab]:
    """An empty tab of a window of this size and colour scheme."""
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme=scheme, reduced_motion="reduce", **options
    )
    context.set_default_timeout(1e3 * WAIT_S)
    try:
        page = context.new_page()
        this = Tab(page)
        page.on("console", _noted(this.complaints))
        page.on("pageerror", lambda error: this.complaints.append(f"exception: {error}"))
        page.on("request", lambda request: _asked(this.asked, request))
        yield this
    finally:
        context.close()


def _noted(complaints: list[str]) -> Callable[[ConsoleMessage], None]:
    def note(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            complaints.append(f"{message.type}: {message.text}")

    return note


def _asked(asked: list[str], request: Request) -> None:
    asked.append(request.url)
