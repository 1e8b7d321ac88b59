"""What goes wrong is seen at once: a camera that dies or falls silent within two seconds, a cloud that is away, an edge that ends."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from kits import seen
from kits.browser import tab
from kits.page_edge import page_edge
from kits.scene import belt_camera

if TYPE_CHECKING:
    from collections.abc import Callable

    from kits.browser import Tab
    from kits.deployments import LocalDeployment
    from kits.page_edge import PageEdge
    from playwright.sync_api import Browser

WITHIN_S = 2.0
BELT = "document.querySelector('[data-camera=belt]')"
ASLEEP = ("down", "silent")


def is_now(tab: Tab, *states: str, what: str, seconds: float = 20.0) -> float:
    """Wait until the card of the belt's camera has one of these states; the seconds that it took."""
    begun = time.monotonic()
    tab.until(f"{list(states)}.includes({BELT}?.dataset.status)", what=what, seconds=seconds)
    return time.monotonic() - begun


def test_a_camera_that_dies_is_seen_to_die_within_two_seconds_and_to_come_back(
    browser: Browser, edge: Callable[..., PageEdge]
) -> None:
    with belt_camera() as camera, tab(browser) as this:
        run = edge(source=camera.url, name="belt")
        this.open(run.url)
        last = seen.frames(this, 2, "belt")[-1].frame
        assert last is not None
        camera.switch_off()
        took_s = is_now(this, *ASLEEP, what="a camera that is down")
        assert took_s <= WITHIN_S
        card = seen.look(this, "belt")
        assert card is not None
        assert "running" not in card.text["status"]
        this.until("document.getElementById('camera-news').textContent.includes('belt')", what="news of it")
        camera.switch_on()
        is_now(this, "live", what="a camera that is back", seconds=30)
        after = seen.frames(this, 1, "belt", after=last)[-1]
        assert seen.differences(after, run.record(after.frame, "belt")) == []
        this.until("!document.getElementById('camera-news').textContent", what="no news any more")


def test_a_camera_that_falls_silent_is_seen_within_two_seconds(
    browser: Browser, edge: Callable[..., PageEdge]
) -> None:
    with belt_camera() as camera, tab(browser) as this:
        run = edge(source=camera.url, name="belt", read_timeout_s="20")
        this.open(run.url)
        seen.frames(this, 2, "belt")
        camera.silent = True  # its connection stays open, so that only the clock can tell
        took_s = is_now(this, *ASLEEP, what="a camera that is silent")
        assert took_s <= WITHIN_S
        camera.silent = False
        is_now(this, "live", what="a camera that speaks again")


def test_a_camera_of_one_frame_in_three_seconds_is_not_called_silent(
    browser: Browser, edge: Callable[..., PageEdge]
) -> None:
    with tab(browser) as this:
        run = edge(source="synthetic:fps=0.34,width=64,height=48", name="belt")
        run.run.wait_for_records(3)
        this.open(run.url)
        is_now(this, "live", what="a slow camera")
        end = time.monotonic() + 7
        while time.monotonic() < end:
            card = seen.look(this, "belt")
            assert card is not None
            assert card.status == "live", card
            this.page.wait_for_timeout(100)


def test_a_cloud_that_is_killed_is_seen_and_frames_go_on_here(
    browser: Browser, system: LocalDeployment, edge: Callable[..., PageEdge]
) -> None:
    with belt_camera() as camera, tab(browser) as this:
        run = edge(source=camera.url, name="belt")
        this.open(run.url)
        first = seen.frames(this, 1, "belt")[-1]
        assert first.text["who"] == f"the cloud at {system.cloud_url}"
        try:
            system.kill_cloud()
            this.until(
                f"{BELT}.querySelector('[data-part=who]').textContent.startsWith('this edge')",
                what="the edge's own answers",
            )
            this.until(
                "document.getElementById('clouds').textContent.includes('away')", what="a cloud that is away"
            )
            card = seen.frames(this, 2, "belt", after=first.frame)[-1]
            record = run.record(card.frame, "belt")
            assert record["answered_by"] == "edge"
            assert seen.differences(card, record) == []
            this.until("document.getElementById('no-faults').hidden", what="a list of what went wrong")
        finally:
            system.start_cloud()
        this.until(
            f"{BELT}.querySelector('[data-part=who]').textContent.startsWith('the cloud')",
            what="the cloud again",
            seconds=60,
        )


def test_an_edge_that_ends_is_seen_and_the_page_follows_the_next_one_with_another_source(
    browser: Browser, system: LocalDeployment
) -> None:
    """The page stays open all the while: what it shows is never made up from what it has shown before."""
    with tab(browser) as this:
        with belt_camera() as camera, page_edge(system, source=camera.url, name="belt") as first:
            this.open(first.url)
            seen.frames(this, 2, "belt")
            port = first.url.rpartition(":")[2]
        this.until(
            "document.getElementById('link-lost').textContent",
            what="word that the edge is gone",
            seconds=WITHIN_S + 0.5,
        )
        with page_edge(
            system,
            status_port=port,
            source="synthetic:fps=10,width=160,height=120",
            name="gate",
            threshold="0.9",
        ) as second:
            this.until(
                "document.querySelector('[data-camera=gate]')",
                what="the camera of the other edge",
                seconds=30,
            )
            cards = seen.frames(this, 3, "gate")
            assert [seen.differences(card, second.record(card.frame, "gate")) for card in cards] == [
                [],
                [],
                [],
            ]
            assert seen.look(this, "belt") is None, "nothing of the first edge is left"
            this.until("!document.getElementById('link-lost').textContent", what="no word of a lost edge")
