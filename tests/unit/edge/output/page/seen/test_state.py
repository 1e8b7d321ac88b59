"""The whole state of an edge: ready for JSON at any moment, and about what happened."""

from __future__ import annotations

import json
from types import SimpleNamespace

from kits.edge_page import PageRun, boxes

from edge.frames.way import Edition, Editions
from edge.metrics import FALLBACKS
from edge.output.page.page import edge_document
from edge.output.page.seen.faults import FINISHED_HERE
from shared.errors import SourceError


def said(run):
    return json.loads(json.dumps(run.page._state.said(), allow_nan=False))


def edition(pilot):
    model = SimpleNamespace(name="net", fingerprint=b"\x01" * 8)
    return Edition(model, None, None, pilot, None)


def test_before_the_network_is_loaded_there_is_a_state():
    found = said(PageRun(("gate", "yard")))
    assert found["network"] is None
    assert found["plans"] == found["faults"] == []
    assert [camera["status"] for camera in found["cameras"]] == ["waiting", "waiting"]


def test_cameras_that_share_a_pilot_share_a_plan():
    run = PageRun(("a", "b", "c"))
    one, other = ({"plan": name, "why": "chosen"} for name in ("layer3 int8", "output"))
    first, second = (SimpleNamespace(said=lambda plan=plan: dict(plan)) for plan in (one, other))
    editions = Editions({"a": edition(first), "b": edition(second), "c": edition(first)})
    cameras = [SimpleNamespace(name=name, lost=None) for name in "abc"]
    run.page.play(cameras, editions)
    found = said(run)
    assert found["plans"] == [one | {"cameras": ["a", "c"]}, other | {"cameras": ["b"]}]
    assert found["network"] == {"name": "net", "fingerprint": "01" * 8}
    cameras[1].lost = SourceError("gone")
    assert said(run)["cameras"][1]["status"] == "broken"


def test_what_went_wrong_is_told_in_words_once_it_has_happened():
    run = PageRun()
    assert said(run)["faults"] == []
    run.page._state._rare_s = -1e9
    run.metrics.fallbacks.labels(camera="camera", reason="late").inc(2)
    run.told["camera"].frames("dropped").inc(3)
    found = {what: count for what, count, _ in said(run)["faults"]}
    assert found == {FINISHED_HERE["late"]: 2, "frames dropped to keep up": 3}


def test_every_reason_has_words():
    assert set(FINISHED_HERE) == set(FALLBACKS)


def test_a_full_edge_is_still_a_short_state():
    """64 cameras, each with a crowd of boxes: what a viewer is sent 4 times a second at most."""
    run = PageRun(tuple(f"camera-{number:02}" for number in range(64)), pictures=False)
    answer = boxes(*((x + 0.25, 0.5, x + 9.75, 99.75) for x in range(100)), size=(1920, 1080))
    for name in run.told:
        run.frame(name, answer=answer)
    text = json.dumps(run.page._state.said())
    assert len(text) < 300_000


def test_the_page_has_a_word_for_every_status_and_reason():
    script = edge_document().html.decode()
    for word in (
        "live",
        "waiting",
        "ended",
        "silent",
        "down",
        "broken",
        "chosen",
        "first",
        "limit",
        "clear",
        "small",
    ):
        assert f"{word}: [" in script or f'{word}: "' in script, word
