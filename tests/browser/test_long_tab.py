"""A tab that is open for an hour takes no more than one that is open for some minutes."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from kits import fed_stream, seen
from kits.browser import tab

if TYPE_CHECKING:
    from collections.abc import Callable

    from kits.deployments import LocalDeployment
    from kits.page_edge import PageEdge
    from playwright.sync_api import Browser, Route

HOUR = 4 * 3600
"""States that the edge's page is told in it, one each quarter of a second; the cloud's is told one a second."""
WARM = 2000
"""Until what is kept once, as compiled code and names, is there."""
CHUNK = 400
GROWN_BYTES = 400_000
GROWN_NODES = 50


def changed(state: dict[str, Any], number: int) -> dict[str, Any]:
    """The state after `number` others: frames and figures are new ones, and cameras, clouds, boxes and faults come and go."""
    new = copy.deepcopy(state)
    (camera,) = new["cameras"]
    camera["picture"] = camera["latest"] | {"part": [0, 0, 160, 120]}
    boxes = [[f"class {number % 7}", 0.5, 1.0 + box, 2.0, 30.0 + box, 40.0] for box in range(number % 20)]
    for told in (camera["latest"], camera["picture"]):
        told |= {
            "frame": 10**6 + number,
            "latency_ms": 1 + number % 99,
            "boxes": boxes,
            "headline": f"{number} things",
            "more": number % 3,
        }
        told["findings"] = [[f"class {number} {each}", 0.5] for each in range(number % 5)]
    # A camera, a cloud and a plan with names that never come again, each for 50 states.
    guest, stay = copy.deepcopy(camera), number // 50
    new["cameras"] = [
        camera,
        guest | {"key": f"guest-{stay}", "name": f"guest-{stay}", "status": ("live", "down")[number % 2]},
    ]
    new["clouds"] = [*state["clouds"], state["clouds"][0] | {"cloud": f"http://guest-{stay}:8881"}]
    new["plans"] = [
        *state["plans"],
        state["plans"][0] | {"cameras": [f"guest-{stay}"], "plan": f"plan {stay}"},
    ]
    new["faults"] = [[f"fault {stay} {each}", number, True] for each in range(stay % 4)]
    return new


def test_an_hour_of_states_leaves_nothing_behind(browser: Browser, edge: Callable[..., PageEdge]) -> None:
    run = edge(source="synthetic:fps=10,width=160,height=120", split_point="auto", codec="auto")
    jpeg = cv2.imencode(".jpg", np.full((120, 160, 3), 90, np.uint8))[1].tobytes()
    served = 0

    def picture(route: Route) -> None:
        nonlocal served
        served += 1
        frame = route.request.url.rpartition("=")[2]
        route.fulfill(body=jpeg, content_type="image/jpeg", headers={"X-Frame": frame})

    with tab(browser) as this:
        fed_stream.prepare(this)
        this.page.route("**/snapshot/**", picture)
        this.open(run.url)
        seen.frames(this, 1)
        state = fed_stream.hold(this)
        first = last = None
        for begin in range(0, WARM + HOUR, CHUNK):
            fed_stream.push(this, [changed(state, number) for number in range(begin, begin + CHUNK)])
            this.asked.clear()  # ours, not the page's
            if begin + CHUNK == WARM:
                first = this.size()
        last = this.size()
        card = seen.look(this)
        assert card is not None
        assert card.text["headline"].endswith("things"), "the states were shown"
        assert served > 50, "pictures were too"
        assert first is not None
        assert last.nodes - first.nodes < GROWN_NODES, (first, last)
        assert last.listeners - first.listeners < GROWN_NODES, (first, last)
        assert last.heap_bytes - first.heap_bytes < GROWN_BYTES, (first, last)
        assert this.complaints == []


def changed_cloud(state: dict[str, Any], number: int) -> dict[str, Any]:
    """The same of a cloud: clients, reasons, networks, profiles and workers come and go."""
    stay, (network,), (worker,) = number // 50, state["networks"], state["workers"]
    client = {
        "frames": number,
        "bytes": 1,
        "frames_per_s": 1.0,
        "bytes_per_s": 1.0,
        "refused": {f"reason {stay}": number},
        "quiet_s": 0,
    }
    profile = {
        "name": f"profile {stay}",
        "split_point": "a",
        "shape": [1, 2],
        "bytes": 1,
        "held_bytes": number,
        "decode_ms": 1.0,
    }
    return state | {
        "clients": state["clients"] | {"shown": [client | {"name": f"guest-{stay}-{each}"} for each in range(5)]},
        "refused": {f"reason {stay}": number}, "networks": [network, network | {"fingerprint": f"{stay:016x}", "current": False}],
        "profiles": [profile], "workers": [worker, worker | {"number": 1 + stay}], "uptime_s": number,
    }  # fmt: skip


def test_an_hour_of_a_clouds_states_leaves_nothing_behind(browser: Browser, system: LocalDeployment) -> None:
    with tab(browser) as this:
        fed_stream.prepare(this)
        this.open(f"{system.cloud_url}/page")
        this.until("document.querySelector('#networks tr')", what="a state")
        state = fed_stream.hold(this)
        fed_stream.push(this, [changed_cloud(state, number) for number in range(WARM // 4)])
        first = this.size()
        for begin in range(WARM // 4, WARM // 4 + HOUR // 4, CHUNK):
            fed_stream.push(this, [changed_cloud(state, number) for number in range(begin, begin + CHUNK)])
        last = this.size()
        assert "guest" in this.page.locator("#clients").inner_text(), "the states were shown"
        assert last.nodes - first.nodes < GROWN_NODES, (first, last)
        assert last.listeners - first.listeners < GROWN_NODES, (first, last)
        assert last.heap_bytes - first.heap_bytes < GROWN_BYTES, (first, last)
        assert this.complaints == []
