"""The cloud's page in a browser: what it shows is what the cloud did, for everybody, and nothing of it is run."""

from __future__ import annotations

import copy
import itertools
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from kits import fed_stream
from kits.browser import SCHEMES, WIDTHS, tab
from kits.cloud import FRAME
from kits.codecs import frame_of
from kits.followed import followed
from kits.tokens import Tokens

from shared import __version__
from shared.codecs import NAMES
from shared.security.rights import Right
from shared.wire import frame as wire

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from kits.browser import Tab
    from kits.followed import Followed
    from playwright.sync_api import Browser

FINGERPRINT = b"seen...."
EVIL = '<img src=x onerror="document.title=`run`"><b>evil</b> \u202egnp.exe'
CELLS = "(id) => [...document.getElementById(id).rows].map((row) => [...row.cells].map((cell) => cell.textContent))"
WIDE = "document.documentElement.scrollWidth - innerWidth"


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


def test_it_shows_what_the_cloud_did(browser: Browser, cloud: Followed, data: bytes) -> None:
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
        assert this.hosts() == {f"127.0.0.1:{cloud.port}"}
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


@pytest.mark.parametrize(("width", "scheme"), list(itertools.product(WIDTHS, SCHEMES)))
def test_nobody_is_kept_out(browser: Browser, cloud: Followed, width: int, scheme: str) -> None:
    with tab(browser, width=width, scheme=scheme) as this:
        fed_stream.prepare(this)
        this.open(url(cloud))
        this.until("document.querySelector('[data-client]')", what="a client")
        state = fed_stream.hold(this)
        for what, shown in (("in quiet", state), ("with much of everything", crowded(state, "layer-4"))):
            fed_stream.push(this, [shown])
            assert this.violations() == [], what
            assert this.page.evaluate(WIDE) <= 0, what


def test_what_comes_from_elsewhere_is_text(browser: Browser, cloud: Followed) -> None:
    with tab(browser) as this:
        fed_stream.prepare(this)
        this.open(url(cloud))
        state = fed_stream.hold(this)
        fed_stream.push(this, [crowded(state, EVIL)])
        assert cells(this, "clients")[0][0] == f"{EVIL}-0"
        assert cells(this, "networks")[0][0] == EVIL
        assert this.page.evaluate("document.querySelectorAll('main img, main b').length") == 0
        assert this.page.title() == "SplitDNN cloud"
        assert this.complaints == []


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


def test_whoever_has_no_token_is_asked_for_one(browser: Browser, tmp_path: Path) -> None:
    tokens = Tokens(tmp_path / "tokens")
    token = tokens.add("anna", Right.PAGE)
    with (
        followed(tmp_path / "bundle", FINGERPRINT, token_file=str(tokens.path)) as server,
        tab(browser) as this,
    ):
        this.open(url(server))
        assert this.page.url == url(server, "/login")
        assert this.violations() == []
        this.page.locator("input[name=token]").fill(token)
        this.page.locator("button").click()
        this.page.get_by_role("link", name="To the page").click()
        this.until("document.getElementById('state')?.textContent === 'ready'", what="the page")
        assert this.page.url == url(server)
        assert this.complaints == []
