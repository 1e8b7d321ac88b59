"""Nobody is kept out of a page: axe-core finds nothing in any state of it, it fits on a phone, and the keyboard reaches everything."""

from __future__ import annotations

import copy
import itertools
from typing import TYPE_CHECKING, Any

import pytest
from kits import fed_stream, seen
from kits.accessible import LOOKS, check
from kits.browser import tab
from kits.tokens import Tokens

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from kits.page_edge import PageEdge
    from playwright.sync_api import Browser

SOURCE = "synthetic:fps=10,width=160,height=120"


def troubled(state: dict[str, Any]) -> dict[str, Any]:
    """The same edge with many cameras in every state there is, clouds that are away, a planner's plans and faults."""
    (camera,) = state["cameras"]
    told = camera["latest"]
    states = ["live", "waiting", "ended", "silent", "down", "broken"]
    answers = [("cloud", None), ("edge", "late"), ("still", None), ("nobody", None)]
    cameras = []
    for number, (status, (who, why)) in enumerate(itertools.product(states, answers)):
        name = f"camera-{number}-of-the-northern-gate-with-a-long-name-without-any-space"
        latest = told | {
            "answered_by": who,
            "fallback": why,
            "frame": number,
            "cloud": "http://cloud:8881" if who == "cloud" else None,
        }
        cameras.append(
            copy.deepcopy(camera) | {"key": name, "name": name, "status": status, "latest": latest, "picture": None, "age_s": 75.0,
            "problem": "the disk is gone" if status == "broken" else None, "undecodable": 3,
            "counts": dict.fromkeys(camera["counts"], 123_456_789)}
        )  # fmt: skip
    cost = {
        "plan": "layer3 int8+zstd",
        "latency_ms": 1234.5,
        "per_s": 10.0,
        "bytes": 123_456,
        "agreement": 0.95,
        "keeps": False,
    }
    plan = {
        "plan": "layer3 int8+zstd", "why": "limit", "since_s": 3.9, "best": "output", "objective": "latency", "min_agreement": 0.95, "max_latency_ms": 50.0,
        "now": cost, "instead": [cost | {"plan": f"layer{number} calibrated"} for number in range(6)], "options": 15, "cameras": [cameras[0]["name"]],
    }  # fmt: skip
    clouds = [
        {"cloud": f"https://cloud-{state}.example:8881", "state": state, "network": None, "round_trip_ms": 20.0, "throughput_bytes_per_s": 1e6,
         "under_way": 3, "expected_ms": 12.5}
        for state in ("closed", "open", "half_open")
    ]  # fmt: skip
    faults = [
        ["finished here: the answer came too late", 123_456, True],
        ["finished here: sent only to measure the link", 3, False],
    ]
    return state | {"cameras": cameras, "plans": [plan], "clouds": clouds, "faults": faults}


@pytest.mark.parametrize(("width", "scheme"), LOOKS)
def test_the_edges_page_in_quiet_and_in_trouble(
    browser: Browser, edge: Callable[..., PageEdge], width: int, scheme: str
) -> None:
    run = edge(source=SOURCE)
    with tab(browser, width=width, scheme=scheme) as this:
        fed_stream.prepare(this)
        this.open(run.url)
        this.until("document.querySelector('[data-camera]')", what="a camera")
        this.page.locator("[data-camera]").first.scroll_into_view_if_needed()
        seen.frames(this, 1)
        state = fed_stream.hold(this)
        check(this, "in quiet")
        fed_stream.push(this, [troubled(state)])
        this.page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
        check(this, "in trouble")
        assert this.page.evaluate("document.querySelectorAll('[data-camera]').length") == 24
        lively = this.page.evaluate(
            "[...document.querySelectorAll('[aria-live], [role=status], [role=alert]')].map((each) => each.textContent).join()"
        )
        assert "without frames" in lively.lower(), "a screen reader is told of cameras in trouble"


def test_before_the_first_state_and_after_the_last(browser: Browser, edge: Callable[..., PageEdge]) -> None:
    run = edge(source=SOURCE)
    with tab(browser) as this:
        this.page.route("**/events", lambda route: route.abort())
        this.open(run.url)
        check(this, "before the first state")
    with tab(browser) as this:
        this.open(run.url)
        seen.frames(this, 1)
        run.run.end()
        this.until("document.getElementById('link-lost').textContent", what="word that the edge is gone")
        check(this, "after the last state")


@pytest.mark.parametrize(("width", "scheme"), LOOKS)
def test_forms_and_refusals(
    browser: Browser, edge: Callable[..., PageEdge], tmp_path: Path, width: int, scheme: str
) -> None:
    tokens = Tokens(tmp_path / "tokens", ["page"])
    run = edge(source=SOURCE, status_token_file=str(tokens.path))
    with tab(browser, width=width, scheme=scheme) as this:
        this.open(run.url)
        check(this, "a form")
        this.page.locator("input[name=token]").fill("sdn_wrong")
        this.page.locator("button").click()
        this.page.wait_for_load_state()
        check(this, "a form after a wrong token")
        this.page.locator("input[name=token]").fill(tokens.of["page"])
        this.page.locator("button").click()
        this.until("document.querySelector('[data-camera]')", what="the page")
        this.open(f"{run.url}/login")
        check(this, "who is logged in")


def test_moving_things_stand_still_for_those_who_ask_for_it(
    browser: Browser, edge: Callable[..., PageEdge]
) -> None:
    run = edge(source=SOURCE)
    with tab(browser) as this:  # which asks for reduced motion
        this.open(run.url)
        seen.frames(this, 1)
        assert this.page.evaluate("document.getAnimations().length") == 0
        assert this.page.evaluate("getComputedStyle(document.querySelector('main')).transitionDuration") in (
            "0s",
            "",
        )
