"""Viewers cost no frame: with twenty of them every frame is answered as without, and each picture is made once for all."""

from __future__ import annotations

import contextlib
import re
import urllib.request
from typing import TYPE_CHECKING

from kits import seen
from kits.browser import tab
from kits.common import wait_for

from bench.load.page.viewer import Eyes, Viewer
from shared.wire.page.stream import MAX_VIEWERS

if TYPE_CHECKING:
    from collections.abc import Callable

    from kits.page_edge import PageEdge
    from playwright.sync_api import Browser

FRAMES = 100
VIEWERS = 20
FPS = 10


def metric(url: str, name: str) -> float:
    with urllib.request.urlopen(f"{url}/metrics", timeout=10) as answer:
        found = re.findall(rf"^{name}(?:{{[^}}]*}})? (\S+)$", answer.read().decode(), re.MULTILINE)
    return sum(map(float, found))


def played(run: PageEdge) -> list[tuple[int, str]]:
    """Number and answerer of every frame, once all are done."""
    run.run.wait_for_records(FRAMES)
    return [(record["frame"], record["answered_by"]) for record in run.run.records]


def test_twenty_viewers_cost_no_frame(browser: Browser, edge: Callable[..., PageEdge]) -> None:
    # So long a queue that no frame is dropped where others use the machine.
    settings = {
        "source": f"synthetic:fps={FPS},frames={FRAMES},width=640,height=480",
        "queue_size": "600",
        "deadline_s": "60",
    }
    alone = played(edge(**settings))
    run = edge(**settings)
    with contextlib.ExitStack() as watching:
        viewers = [watching.enter_context(Viewer(run.url, Eyes())) for _ in range(VIEWERS - 1)]
        this = watching.enter_context(tab(browser))  # the twentieth is a real one
        this.open(run.url)
        wait_for(lambda: metric(run.url, "splitdnn_edge_page_viewers") == VIEWERS, f"{VIEWERS} viewers", 30)
        card = seen.frames(this, 3)[-1]
        assert seen.differences(card, run.record(card.frame)) == []
        watched = played(run)
        assert [viewer.failure for viewer in viewers] == [None] * len(viewers)
        assert all(viewer.states > 2 for viewer in viewers), "each was told"
        assert all(viewer.seen > 0 for viewer in viewers), "each has seen pictures"
        made = metric(run.url, "splitdnn_edge_page_pictures_total")
    assert watched == alone == [(number, "cloud") for number in range(FRAMES)]
    assert metric(run.url, "splitdnn_edge_frames_dropped_total") == 0
    assert 0 < made <= FRAMES, "a picture is made once for all viewers"
    assert sum(viewer.seen for viewer in viewers) > 3 * made
    wait_for(lambda: metric(run.url, "splitdnn_edge_page_viewers") == 0, "no viewers", 30)


def test_a_viewer_who_reads_nothing_holds_nobody_up(browser: Browser, edge: Callable[..., PageEdge]) -> None:
    run = edge(source="synthetic:fps=10,width=160,height=120")
    with contextlib.ExitStack() as ends:
        for _ in range(5):
            asleep = ends.enter_context(
                contextlib.closing(urllib.request.urlopen(f"{run.url}/events", timeout=30))
            )
            assert asleep.status == 200  # and nothing more is ever read
        this = ends.enter_context(tab(browser))
        this.open(run.url)
        cards = seen.frames(this, 10)
        assert [seen.differences(card, run.record(card.frame)) for card in cards] == [[]] * 10


def test_nobody_who_looks_costs_no_picture(browser: Browser, edge: Callable[..., PageEdge]) -> None:
    run = edge(source="synthetic:fps=10,width=160,height=120")
    run.run.wait_for_records(30)
    assert metric(run.url, "splitdnn_edge_page_pictures_total") == 0
    with tab(browser) as this:
        this.open(run.url)
        seen.frames(this, 2)
    assert metric(run.url, "splitdnn_edge_page_pictures_total") > 0
    wait_for(lambda: metric(run.url, "splitdnn_edge_page_viewers") == 0, "no viewers", 30)
    made = metric(run.url, "splitdnn_edge_page_pictures_total")
    run.run.wait_for_records(len(run.run.records) + 30)
    assert metric(run.url, "splitdnn_edge_page_pictures_total") == made


def test_whoever_finds_no_place_is_told_so(browser: Browser, edge: Callable[..., PageEdge]) -> None:
    run = edge(source="synthetic:fps=10,width=160,height=120")
    with contextlib.ExitStack() as ends:
        others = [
            ends.enter_context(contextlib.closing(urllib.request.urlopen(f"{run.url}/events", timeout=30)))
            for _ in range(MAX_VIEWERS)
        ]
        this = ends.enter_context(tab(browser))
        this.open(run.url)
        told = "document.getElementById('link-lost').textContent"
        this.until(
            f"{told}.includes('as many pages are open as may be')", what="that there is no place", seconds=30
        )
        others[0].close()
        this.until(f"!{told}", what="a place", seconds=30)
        assert len(seen.frames(this, 3)) == 3, "and frames are seen from then on"
