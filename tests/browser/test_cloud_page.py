"""The cloud's page shows what edges have sent and had refused, as their records and the cloud's metrics say."""

from __future__ import annotations

import re
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from kits import fed_stream
from kits.accessible import LOOKS, check
from kits.browser import tab
from kits.common import wait_for
from kits.hostile import MARKUP, acts, elements, hostile
from kits.page_cloud import secured_cloud
from kits.seen import figure

from shared.security.rights import GROUPS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kits.browser import Tab
    from kits.page_cloud import SecuredCloud
    from playwright.sync_api import Browser

# What every table of the page holds, each row by the texts of its cells, and the single figures by their ids.
TABLES = """() => Object.fromEntries([...document.querySelectorAll("tbody")].map((body) =>
  [body.id, [...body.rows].map((row) => [...row.cells].map((cell) => cell.textContent))]))"""
FRAMES = {"gate": ("trunk.relu", 30), "yard": ("input", 20)}
"""What each edge sends: where its network is cut, and how many frames."""


@dataclass(frozen=True)
class Played:
    """A cloud to which two edges have sent all their frames, and what their records say."""

    cloud: SecuredCloud
    sent: dict[str, int]
    """Frames, by edge."""
    payloads: dict[str, int]
    """Bytes."""


@pytest.fixture(scope="module")
def played(browser: Browser, colours: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    with secured_cloud(tmp_path_factory.mktemp("secured"), colours, FRAMES) as cloud:
        sent, payloads = {}, {}
        for name, (point, count) in FRAMES.items():
            run = cloud.edge(
                name, source=f"synthetic:fps=0,frames={count},width=160,height=120", split_point=point
            )
            records = run.finish()
            assert {each["answered_by"] for each in records} == {"cloud"}, run.said()
            sent[name], payloads[name] = len(records), sum(each["payload_bytes"] for each in records)
        yield Played(cloud, sent, payloads)


@pytest.fixture
def cloud(played: Played) -> SecuredCloud:
    return played.cloud


def refuse(cloud: SecuredCloud, count: int, token: str) -> None:
    """Have so many requests refused."""
    for _ in range(count):
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(urllib.request.Request(f"{cloud.url}/model", b"{", headers), timeout=10)
        caught.value.close()


def log_in(this: Tab, cloud: SecuredCloud) -> None:
    """Open the page with the watcher's token, by the form to which it leads."""
    this.open(f"{cloud.url}/page")
    this.page.get_by_label("Token").fill(cloud.watcher)
    with this.page.expect_navigation():
        this.page.keyboard.press("Enter")
    if not this.page.url.endswith("/page"):
        this.open(f"{cloud.url}/page")
    this.until("document.querySelector('#networks tr')", what="a state")


def tables(this: Tab) -> dict[str, list[list[str]]]:
    return this.page.evaluate(TABLES)


def test_figures_are_those_of_the_records_and_the_metrics(browser: Browser, played: Played) -> None:
    with tab(browser) as this:
        log_in(this, played.cloud)
        found = tables(this)
        clients = {row[0]: row for row in found["clients"]}
        assert {name: figure(clients[name][3]) for name in FRAMES} == played.sent
        for name, payload in played.payloads.items():
            assert payload < figure(clients[name][4]) < payload + 2000 * played.sent[name], (
                "bodies are payloads and headers"
            )
            assert clients[name][5] == "none"
        tails = {row[0].removesuffix(" (default)"): row for row in found["tails"]}
        assert {point: figure(tails[point][2]) for point, _ in FRAMES.values()} == dict(FRAMES.values())
        runs = re.search(r"^splitdnn_cloud_batch_size_count (\S+)$", played.cloud.metrics(), re.MULTILINE)
        assert runs is not None
        caption = this.page.locator("#batches-caption").inner_text()
        assert caption.startswith(f"{float(runs[1]):,.0f} runs of tails")
        assert sum(figure(row[1]) for row in found["batches"]) == float(runs[1])
        (network,) = found["networks"]
        assert network[:2] == ["colours", "detect"]
        assert network[5] == "current"
        assert this.page.locator("#state").inner_text() == "ready"
        assert this.complaints == []
        assert {f"http://{host}" for host in this.hosts()} == {played.cloud.url}, "the page asks nobody else"


def test_what_is_refused_is_shown_by_client_and_reason(browser: Browser, cloud: SecuredCloud) -> None:
    with tab(browser) as this:
        log_in(this, cloud)
        bad = cloud.tokens.add("clumsy", *GROUPS["all"])
        wait_for(
            lambda: (refuse(cloud, 1, bad), "clumsy" in str(tables(this)["clients"]))[1],
            "the client's token",
            30,
        )
        refuse(cloud, 3, bad)

        def counted() -> bool:
            metrics = re.findall(
                r'^splitdnn_cloud_rejected_total{reason="(\w+)"} (\S+)$', cloud.metrics(), re.MULTILINE
            )
            expected = {reason: float(count) for reason, count in metrics if float(count)}
            return {row[0]: figure(row[1]) for row in tables(this)["refusals"]} == expected

        wait_for(counted, "the refusals of the metrics", 20)
        (row,) = (row for row in tables(this)["clients"] if row[0] == "clumsy")
        reason, _, count = row[5].partition(" ")
        assert reason in {each[0] for each in tables(this)["refusals"]}
        assert figure(count) >= 3


def test_a_right_to_something_else_shows_no_page(browser: Browser, cloud: SecuredCloud) -> None:
    with tab(browser) as this:
        this.open(f"{cloud.url}/page")
        this.page.get_by_label("Token").fill(cloud.meter)
        with this.page.expect_navigation():
            this.page.keyboard.press("Enter")
        this.open(f"{cloud.url}/page")
        assert this.page.locator("#networks").count() == 0
        assert this.page.evaluate("async () => (await fetch('/page/events')).status") == 403
        assert "page" in this.page.locator("body").inner_text(), "it is told which right is missing"


@pytest.mark.parametrize(("width", "scheme"), LOOKS)
def test_nobody_is_kept_out_of_it(browser: Browser, cloud: SecuredCloud, width: int, scheme: str) -> None:
    with tab(browser, width=width, scheme=scheme) as this:
        fed_stream.prepare(this)
        this.open(f"{cloud.url}/page")
        check(this, "a form")
        log_in(this, cloud)
        state = fed_stream.hold(this)
        check(this, "in quiet")
        fed_stream.push(this, [crowded(state)])
        assert len(tables(this)["clients"]) > 60
        check(this, "in trouble")


def test_markup_in_any_place_of_a_state_is_text(browser: Browser, cloud: SecuredCloud) -> None:
    with tab(browser) as this:
        fed_stream.prepare(this)
        log_in(this, cloud)
        state = crowded(fed_stream.hold(this))
        del state["clients"]["shown"][1:]  # names are different ones
        before = elements(this)
        for text in MARKUP:
            fed_stream.push(this, [hostile(state, text)])
            this.page.wait_for_timeout(100)
            assert this.page.locator("body").inner_text().count(text) > 5
            assert elements(this) == before
            assert not acts(this)
        assert this.complaints == []


def crowded(state: dict) -> dict:
    """The same cloud with many clients, refusals, workers, networks and profiles."""
    (worker,), (network,) = state["workers"], state["networks"]
    client = {
        "frames": 10**9,
        "bytes": 10**15,
        "frames_per_s": 12.5,
        "bytes_per_s": 1e9,
        "refused": {"busy": 123, "malformed": 10**6},
        "quiet_s": 3.0,
    }
    shown = [
        client | {"name": f"a-client-with-a-long-name-without-any-space-{number:02}"} for number in range(63)
    ]
    profile = {
        "name": "a" * 40,
        "split_point": "layer3",
        "shape": [1024, 14, 14],
        "bytes": 10**6,
        "held_bytes": 10**7,
        "decode_ms": 12.5,
    }
    workers = [
        worker | {"number": number, "state": ("ready", "silent", "draining")[number % 3]}
        for number in range(8)
    ]
    return state | {
        "clients": {"active": 99, "shown": shown, "others": client | {"clients": 1234}},
        "refused": {"busy": 123, "malformed": 10**6}, "profiles": [profile], "workers": workers,
        "networks": [network, network | {"fingerprint": "f" * 16, "current": False}],
        "network_changes": {"failed": 3}, "state": "draining",
    }  # fmt: skip
