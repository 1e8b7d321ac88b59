"""The cloud's page over time: it follows what comes, to the cloud's end and after it, and a tab that stays open grows no larger."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from kits import fed_stream
from kits.browser import tab
from kits.cloud import FRAME
from kits.codecs import frame_of
from kits.followed import followed

from shared import __version__
from shared.codecs import NAMES
from shared.wire import frame as wire

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from kits.browser import Tab
    from kits.followed import Followed
    from playwright.sync_api import Browser

FINGERPRINT = b"seen...."
CELLS = "(id) => [...document.getElementById(id).rows].map((row) => [...row.cells].map((cell) => cell.textContent))"


@pytest.fixture(scope="module")
def data() -> bytes:
    array = np.linspace(-1, 1, 512, dtype=np.float32)
    return wire.pack(
        frame_of(NAMES["float32"], array, split_point="flatten", fingerprint=FINGERPRINT, deadline_ms=0)
    )


@pytest.fixture
def cloud(tmp_path: Path, data: bytes) -> Iterator[Followed]:
    """With five frames of one edge and two of another, and three refusals."""
    with followed(tmp_path / "bundle", FINGERPRINT) as server:
        for source, frames in (("127.0.0.5", 5), ("127.0.0.6", 2)):
            with server.connect(source) as connection:
                for _ in range(frames):
                    assert connection.ask("POST", "/model", data, FRAME).status == 200
        for _ in range(3):
            server.frame(data[:-9]).refused(400, "bad_frame")
        yield server


def url(server: Followed, path: str = "/page") -> str:
    return f"http://127.0.0.1:{server.port}{path}"


def cells(this: Tab, name: str) -> list[list[str]]:
    found: list[list[str]] = this.page.evaluate(CELLS, name)
    return found


def text(this: Tab, name: str) -> str:
    found: str = this.page.evaluate("(id) => document.getElementById(id).textContent", name)
    return found


def test_it_follows_what_comes_to_the_end(browser: Browser, cloud: Followed, data: bytes) -> None:
    with tab(browser) as this:
        this.open(url(cloud))
        this.until("document.querySelector('[data-client]')", what="a client")
        clients = {row[0]: row for row in cells(this, "clients")}
        assert clients.keys() == {"127.0.0.5", "127.0.0.6", "127.0.0.1"}
        assert [clients[name][3] for name in ("127.0.0.5", "127.0.0.6", "127.0.0.1")] == ["5", "2", "0"]
        assert clients["127.0.0.5"][4] == f"{5 * len(data) / 1000:.3g} kB"
        assert [clients[name][5] for name in ("127.0.0.5", "127.0.0.1")] == ["none", "bad_frame 3"]
        assert cells(this, "refusals") == [["bad_frame", "3"]]
        tails = {row[0]: row[2] for row in cells(this, "tails")}
        assert tails["flatten"] == "7"
        assert {count for name, count in tails.items() if name != "flatten"} == {"0"}
        assert cells(this, "batches") == [["1", "7", "100 %"]]
        (network,) = cells(this, "networks")
        assert FINGERPRINT.hex() in network
        assert (text(this, "version"), text(this, "cloud"), text(this, "state")) == (
            __version__,
            cloud.service.cloud,
            "ready",
        )
        assert this.complaints == []

        # It follows, to the end.
        with cloud.connect("127.0.0.7") as connection:
            assert connection.ask("POST", "/model", data, FRAME).status == 200
        this.until("document.querySelector(`[data-client='127.0.0.7']`)", what="the newcomer")
        cloud.stop_service().result(30.0)
        this.until("document.getElementById('state').textContent === 'stopped'", what="its end")


def test_a_cloud_that_is_gone_is_seen_to_be_gone(browser: Browser, tmp_path: Path) -> None:
    with tab(browser) as this:
        with followed(tmp_path / "bundle", FINGERPRINT) as server:
            this.open(url(server))
            this.until("document.getElementById('state').textContent === 'ready'", what="a state")
        gone = "document.getElementById('state').textContent.startsWith('no connection')"
        this.until(gone, what="word that it is gone", seconds=3.0)
        assert text(this, "version") == __version__, "what was seen last stays"


def crowded(state: dict[str, Any], name: str) -> dict[str, Any]:
    """The same cloud with much of everything, under this name."""
    state = copy.deepcopy(state)
    client, (network,) = state["clients"]["shown"][0], state["networks"]
    many = [
        client | {"name": f"{name}-{number}", "refused": {"over_quota": number}, "quiet_s": 100 * number}
        for number in range(32)
    ]
    state["clients"] = {
        "active": 32,
        "shown": many,
        "others": client | {"clients": 1234, "refused": {"deadline": 5}},
    }
    state["networks"] = [network | {"name": name}, network | {"fingerprint": "00" * 8, "current": False}]
    state["profiles"] = [
        {
            "name": f"{number:032x}", "split_point": name, "shape": shape, "bytes": 1e6, "held_bytes": 4e7, "decode_ms": 1.25,
        }
        for number, shape in enumerate([[256, 14, 14], [[64, 40, 40], [128, 20, 20]]])
    ]  # fmt: skip
    (worker,) = state["workers"]
    state["workers"] = [worker, {"number": 2, "state": "silent"}, worker | {"number": 3, "state": "draining"}]
    state["queue"] |= {"depth": state["queue"]["capacity"]}
    state["refused"] |= {"over_quota": 10**6}
    state["network_changes"] = {"failed": 2}
    state["bundles"] = {"served": True, "under_way": 1, "sent": {"complete": 3}}
    return state


def test_a_tab_that_is_open_for_long_takes_no_more(browser: Browser, cloud: Followed) -> None:
    with tab(browser) as this:
        fed_stream.prepare(this)
        this.open(url(cloud))
        state = fed_stream.hold(this)

        def look(start: int, count: int) -> None:
            fed_stream.push(this, [crowded(state, f"guest-{start + each}") for each in range(count)])

        look(0, 100)
        before = this.size()
        for start in range(100, 700, 100):
            look(start, 100)
        after = this.size()
        assert after.nodes - before.nodes <= 50
        assert after.listeners == before.listeners
        assert after.heap_bytes - before.heap_bytes < 400_000
