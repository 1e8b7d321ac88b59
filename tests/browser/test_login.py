"""Where the edge asks for a token, a browser shows it once by a form: a wrong one is told, and whoever may not look is let in no further."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from kits import seen
from kits.browser import tab
from kits.tokens import Tokens

from shared.security.rights import Right

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from kits.browser import Tab
    from kits.page_edge import PageEdge
    from playwright.sync_api import Browser

SOURCE = "synthetic:fps=10,width=160,height=120"
EXPECTED = ("401", "403", "Unauthorized", "Forbidden")
"""What a browser writes to its console of each refusal, without anybody's fault."""


@pytest.fixture
def tokens(tmp_path: Path) -> Tokens:
    return Tokens(tmp_path / "tokens", [Right.PAGE, Right.METRICS])


@pytest.fixture
def run(edge: Callable[..., PageEdge], tokens: Tokens) -> PageEdge:
    return edge(source=SOURCE, status_token_file=str(tokens.path))


def show(this: Tab, token: str) -> None:
    """Fill the form as a person does, by the keyboard."""
    this.page.get_by_label("Token").fill(token)
    with this.page.expect_navigation():
        this.page.keyboard.press("Enter")


def others(this: Tab) -> list[str]:
    return [each for each in this.complaints if not any(word in each for word in EXPECTED)]


def test_a_token_lets_a_browser_in_and_logging_out_ends_it(
    browser: Browser, run: PageEdge, tokens: Tokens
) -> None:
    with tab(browser) as this:
        this.open(run.url)
        assert this.page.evaluate("document.activeElement.name") == "token", "one may type at once"
        assert "belt" not in this.page.content()
        show(this, tokens.of["page"])
        card = seen.frames(this, 3)[-1]
        assert seen.differences(card, run.record(card.frame)) == []
        assert tokens.of["page"] not in this.page.content()
        assert this.page.evaluate("document.cookie") == "", "no script reads the session's key"
        (cookie,) = this.page.context.cookies()
        assert cookie["httpOnly"]
        assert cookie["sameSite"] == "Strict"
        assert tokens.of["page"] not in cookie["value"]
        this.page.get_by_role("link", name="Log in or out").click()
        with this.page.expect_navigation():
            this.page.get_by_role("button", name="Log out").click()
        this.open(run.url)
        assert this.page.get_by_label("Token").is_visible()
        assert others(this) == []


def test_a_wrong_token_is_told_and_a_right_one_helps_then(
    browser: Browser, run: PageEdge, tokens: Tokens
) -> None:
    with tab(browser) as this:
        this.open(run.url)
        before = this.page.locator("body").inner_text()
        show(this, "sdn_" + 43 * "A")
        said = this.page.locator("body").inner_text()
        assert said != before
        assert "token" in said.lower()
        assert this.page.locator("[role=alert]").inner_text(), "a screen reader is told"
        assert 43 * "A" not in this.page.content()
        show(this, tokens.of["page"])
        seen.frames(this, 1)


def test_a_token_for_something_else_shows_no_camera(browser: Browser, run: PageEdge, tokens: Tokens) -> None:
    with tab(browser) as this:
        this.open(run.url)
        show(this, tokens.of["metrics"])
        this.open(run.url)
        assert this.page.locator("[data-camera]").count() == 0
        assert "page" in this.page.locator("body").inner_text(), "it is told which right is missing"
        for path in ("/events", "/snapshot/camera.jpg", "/watch?camera=camera"):
            status = this.page.evaluate("async (path) => (await fetch(path)).status", path)
            assert status == 403, path


def test_without_a_session_there_is_nothing_to_be_had(browser: Browser, run: PageEdge) -> None:
    with tab(browser) as this:
        this.open(run.url)
        for path in ("/events", "/snapshot/camera.jpg", "/watch?camera=camera"):
            status = this.page.evaluate("async (path) => (await fetch(path)).status", path)
            assert status == 401, path


def test_an_open_page_ends_with_its_token(browser: Browser, run: PageEdge, tokens: Tokens) -> None:
    with tab(browser) as this:
        this.open(run.url)
        show(this, tokens.of["page"])
        seen.frames(this, 1)
        tokens.remove(tokens.of["page"])
        this.until("document.querySelector('input[name=token]')", what="the form again", seconds=60)
        assert this.page.locator("[data-camera]").count() == 0, "nothing of the cameras is left on the screen"


def test_a_page_of_another_site_gets_nothing_and_may_not_frame_ours(
    browser: Browser, run: PageEdge, tokens: Tokens
) -> None:
    port = run.url.rpartition(":")[2]
    with tab(browser) as this:
        this.open(run.url)
        show(this, tokens.of["page"])
        seen.frames(this, 1)
        elsewhere = f"http://127.0.0.2:{port}"  # listens nowhere, so that the test answers for it
        this.page.route(
            f"{elsewhere}/**",
            lambda route: route.fulfill(body="<title>elsewhere</title>", content_type="text/html"),
        )
        this.open(elsewhere)
        found = this.page.evaluate(
            """async (url) => {
              const read = async (path) => { try { return (await (await fetch(url + path, {credentials: "include"})).text()).length; } catch { return "refused"; } };
              const picture = new Promise((done) => { const image = new Image(); image.onload = () => done("shown"); image.onerror = () => done("refused"); image.src = url + "/snapshot/camera.jpg"; });
              return [await read("/snapshot/camera.jpg"), await picture];
            }""",
            run.url,
        )
        assert found == ["refused", "refused"]
        this.page.evaluate(
            "(url) => { const frame = document.createElement('iframe'); frame.src = url; document.body.append(frame); }",
            run.url,
        )
        this.page.wait_for_timeout(500)
        assert all(frame.locator("[data-camera]").count() == 0 for frame in this.page.frames)
