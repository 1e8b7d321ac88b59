"""What the edge's page shows of a frame is what the record of that very frame says: the answer, where boxes lie, figures, who answered."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from kits import bundles, seen
from kits.browser import tab
from kits.scene import belt_camera

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from kits.page_edge import PageEdge
    from playwright.sync_api import Browser

FRAMES = 8


def test_each_frame_of_a_detector_is_shown_as_recorded(
    browser: Browser, edge: Callable[..., PageEdge]
) -> None:
    with belt_camera() as camera, tab(browser) as this:
        run = edge(source=camera.url, name="belt")
        this.open(run.url)
        cards = seen.frames(this, FRAMES, "belt")
        found = {each.frame: seen.differences(each, run.record(each.frame, "belt")) for each in cards}
        assert found == {each.frame: [] for each in cards}
        assert len(found) == FRAMES
        assert sum(len(each.boxes) for each in cards) > FRAMES, "there were boxes to compare"
        assert {each.status for each in cards} == {"live"}
        assert "secret" not in this.page.content()
        assert this.complaints == []
        assert {f"http://{host}" for host in this.hosts()} == {run.url}, "the page asks nobody else"


def test_boxes_are_painted_where_they_are_said_to_be(browser: Browser, edge: Callable[..., PageEdge]) -> None:
    """The best box is painted last, over all others: each of its sides has one colour, which is not to both hands of it."""
    with belt_camera() as camera, tab(browser) as this:
        run = edge(source=camera.url, name="belt")
        this.open(run.url)
        checked, last = 0, -1
        while checked < 3:
            (card,) = seen.frames(this, 1, "belt", after=last)
            last = card.frame
            sides = seen.sides(card)
            frame, found = seen.colours(this, [place for side in sides for place in side], "belt")
            if frame != last or len(sides) < 2:
                continue  # another one was painted meanwhile, or it lies in a corner
            record = run.record(frame, "belt")
            assert np.abs(np.subtract(record["boxes"][0]["box"], card.boxes[0][1:])).max() < 1
            lines, hands = found[::3], zip(found[1::3], found[2::3], strict=True)
            assert len({tuple(colour) for colour in lines}) == 1, (card, found)
            assert not any(one == lines[0] == other for one, other in hands), (card, found)
            assert max(lines[0]) - min(lines[0]) > 80, "a strong colour"
            checked += 1


def test_classes_are_shown_as_recorded_by_whoever_answers(
    browser: Browser, edge: Callable[..., PageEdge], tmp_path: Path
) -> None:
    bundle = bundles.make(tmp_path, seed=6)
    with tab(browser) as this:
        run = edge(
            source="synthetic:fps=10,width=64,height=48", model=str(bundle.folder), cloud_url="http://127.0.0.1:1",
            threshold="", split_point=bundles.MIDDLE, codec="float32",
        )  # fmt: skip
        this.open(run.url)
        cards = seen.frames(this, FRAMES)
        for card in cards:
            record = run.record(card.frame)
            assert record["answered_by"] == "edge"
            assert record["fallback"]
            assert seen.differences(card, record) == [], card
