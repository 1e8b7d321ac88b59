"""The records are exchanged under an open page, and it follows them; whatever stands in them is text, and never more."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from kits import bundles, fed_stream, seen
from kits.browser import tab
from kits.hostile import MARKUP, acts, elements, hostile
from kits.page_edge import page_edge

from bench.harness.process import free_port

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from kits.deployments import LocalDeployment
    from kits.page_edge import PageEdge
    from playwright.sync_api import Browser

SOURCE = "synthetic:fps=10,width=160,height=120"


def record(frame: int, **changes: Any) -> dict[str, Any]:
    """As the server tells of a frame."""
    return {
        "frame": frame, "time": "2026-01-02T03:04:05.678+00:00", "answered_by": "cloud", "cloud": "http://other:8881", "fallback": None,
        "repeats": None, "split_point": "neck", "codec": "float16+zstd", "payload_bytes": 12_345, "latency_ms": 67.891, "damaged": False,
        "headline": "1 swan", "findings": [["swan", 0.625]], "size": [320, 240], "boxes": [["swan", 0.625, 32.5, 24.25, 160.0, 200.75]], "more": 0,
    } | changes  # fmt: skip


def as_recorded(told: dict[str, Any]) -> dict[str, Any]:
    """The line of a file of records that says the same."""
    boxes = [{"label": label, "score": score, "box": box} for label, score, *box in told["boxes"]]
    return told | {"boxes": boxes}


@pytest.fixture
def plain(edge: Callable[..., PageEdge]) -> PageEdge:
    return edge(source=SOURCE, page_pictures="false")


def test_records_of_others_under_an_open_page_are_what_it_shows(browser: Browser, plain: PageEdge) -> None:
    with tab(browser) as this:
        fed_stream.prepare(this)
        this.open(plain.url)
        seen.frames(this, 2)
        state = fed_stream.hold(this)
        told = record(4711)
        state["cameras"] = [
            state["cameras"][0]
            | {"name": "pond", "key": "pond", "latest": told, "picture": None, "status": "live"}
        ]
        fed_stream.push(this, [state])
        card = seen.look(this, "pond")
        assert card is not None
        assert card.frame == 4711
        assert seen.differences(card, as_recorded(told)) == []
        assert seen.look(this, "camera") is None
        told = record(
            4712,
            answered_by="edge",
            cloud=None,
            fallback="late",
            split_point="output",
            codec="none",
            payload_bytes=0,
            boxes=[],
            headline="nothing",
        )
        state["cameras"][0]["latest"] = told
        fed_stream.push(this, [state])
        card = seen.look(this, "pond")
        assert card is not None
        assert seen.differences(card, as_recorded(told)) == []
        assert card.boxes == []


def test_a_picture_of_another_frame_is_never_painted_with_its_boxes(
    browser: Browser, edge: Callable[..., PageEdge]
) -> None:
    """Pictures come from the edge by the frame's number; for one that it does not have, the page keeps the last one with its own record."""
    run = edge(source=SOURCE)
    with tab(browser) as this:
        fed_stream.prepare(this)
        this.open(run.url)
        this.until(
            "document.querySelector('[data-part=picture]')?.getAttribute('aria-label').startsWith('Picture of')",
            what="a picture, not its boxes alone",
        )
        state = fed_stream.hold(this)
        this.page.wait_for_timeout(300)  # for a picture that is under way
        before = seen.look(this)
        wrong = copy.deepcopy(state)
        wrong["cameras"][0]["picture"] = record(10**9) | {"part": [0, 0, 320, 240]}
        wrong["cameras"][0]["latest"] = record(10**9)
        fed_stream.push(this, [wrong])
        this.page.wait_for_timeout(500)
        assert seen.look(this) == before
        assert before is not None
        assert seen.differences(before, run.record(before.frame)) == []


@pytest.mark.parametrize("text", MARKUP)
def test_markup_in_any_place_of_a_state_is_text(browser: Browser, plain: PageEdge, text: str) -> None:
    with tab(browser) as this:
        fed_stream.prepare(this)
        this.open(plain.url)
        seen.frames(this, 1)
        state = fed_stream.hold(this)
        before = elements(this)
        plans = [{
            "plan": "a", "why": "first", "since_s": 1.0, "best": "b", "objective": "latency", "min_agreement": 0.5, "max_latency_ms": 5.0,
            "now": {"plan": "a", "latency_ms": 1.0, "per_s": 1.0, "bytes": 1, "agreement": 1.0, "keeps": True},
            "instead": [{"plan": "b", "latency_ms": 1.0, "per_s": 1.0, "bytes": 1, "agreement": 1.0, "keeps": True}],
            "options": 2, "cameras": ["x"],
        }]  # fmt: skip
        cameras = [each | {"latest": record(1), "problem": "x"} for each in state["cameras"]]
        bad = hostile(state | {"plans": plans, "cameras": cameras, "faults": [["x", 1, True]]}, text)
        fed_stream.push(this, [bad, bad])
        this.page.wait_for_timeout(200)
        card = seen.look(this, text)
        assert card is not None
        assert {card.text["status"], card.text["headline"], card.text["plan"]} >= {text, f"{text} {text}"}
        shown = this.page.locator("body").inner_text()
        assert shown.count(text) > 10
        assert elements(this) == before
        assert not acts(this)
        assert this.complaints == []
        assert {f"http://{host}" for host in this.hosts()} == {plain.url}


def test_a_networks_hostile_labels_are_text(
    browser: Browser, system: LocalDeployment, tmp_path: Path
) -> None:
    """By the whole way: from a bundle's own labels through an edge, its records and its page."""
    bundle = bundles.make(tmp_path, seed=7, change=lambda fields: fields.update(labels=MARKUP))
    with tab(browser) as this, page_edge(
        system, status_port=str(free_port()), source="synthetic:fps=10,width=64,height=48", model=str(bundle.folder),
        cloud_url="http://127.0.0.1:1", threshold="", split_point=bundles.MIDDLE, codec="float32",
    ) as run:  # fmt: skip
        this.open(run.url)
        this.page.locator("summary").first.click()
        for card in seen.frames(this, 3):
            assert seen.differences(card, run.record(card.frame)) == []
            assert card.text["headline"] in MARKUP
            assert {line.rpartition(" ")[0].rpartition(" ")[0] for line in card.findings} == set(MARKUP)
        assert not acts(this)
        assert this.complaints == []


ATTEMPTS = """async () => {
  const came = {};
  const attempt = async (name, act) => { try { await act(); came[name] = "done"; } catch (error) { came[name] = error.name; } };
  await attempt("markup", () => { document.querySelector("main").innerHTML = "<img src=x onerror='window.owned = 1'>"; });
  await attempt("script", () => {
    const script = document.createElement("script");
    script.textContent = "window.owned = 1";
    document.body.append(script);
  });
  await attempt("elsewhere", () => fetch("http://127.0.0.2:9/"));
  await attempt("frame", () => new Promise((done) => {
    const frame = Object.assign(document.createElement("iframe"), { src: "http://127.0.0.2:9/", onload: done });
    document.body.append(frame);
    setTimeout(done, 500);
  }));
  return came;
}"""


def test_the_policy_of_a_page_lets_nothing_else_run_or_be_asked(
    browser: Browser, plain: PageEdge, system: LocalDeployment
) -> None:
    """Should a script of ours ever be led to do so."""
    for url in (plain.url, f"{system.cloud_url}/page"):
        with tab(browser) as this:
            this.page.route("http://127.0.0.2:9/**", lambda route: route.fulfill(body="elsewhere"))
            this.open(url)
            this.until("document.querySelector('tbody tr')", what="a state")
            came = this.page.evaluate(ATTEMPTS)
            assert (came["markup"], came["script"], came["elsewhere"]) == ("TypeError",) * 3, url
            assert this.page.evaluate("window.owned === undefined"), url
            assert this.hosts() == {urlsplit(url).netloc}, "nobody else was asked"
            assert any("Content Security Policy" in each for each in this.complaints), url
