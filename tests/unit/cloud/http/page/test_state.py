"""What the page says of a cloud is what it did: frames, bytes, batches, tails, refusals, profiles, and nobody's more than there is."""

from __future__ import annotations

import asyncio
import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from kits.cloud import FRAME, WAIT_S, Server, until
from kits.tokens import Tokens, bearing

from cloud.http.app import each_second
from cloud.http.page.page import Page
from cloud.http.page.state import part_of
from cloud.http.page.visitors import MOST
from cloud.http.page.whole import SHOWN
from cloud.workers.channel import GoneError
from shared import __version__
from shared.security.rights import Right

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest

    from shared.codecs.calibrated.profile import Profile
    from shared.network.model import Model


def seen(server: Server, page: Page | None = None) -> dict[str, Any]:
    """What a page that is opened now shows, as a browser gets it."""
    found = asyncio.run_coroutine_threadsafe((page or Page(server.service)).state(), server.loop)
    said: dict[str, Any] = json.loads(json.dumps(found.result(WAIT_S), allow_nan=False))
    return said


def client(state: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = [each for each in state["clients"]["shown"] if each["name"] == name]
    return dict(found)


def total(state: dict[str, Any], name: str) -> int:
    clients = state["clients"]
    return sum(each[name] for each in [*clients["shown"], clients["others"]])


def test_a_fresh_cloud_shows_what_it_is(model: Model) -> None:
    with Server() as server:
        state = seen(server)
        assert (state["state"], state["version"], state["cloud"]) == (
            "ready",
            __version__,
            server.service.cloud,
        )
        assert "cores" in state["processor"]
        assert state["queue"]["capacity"] == server.service.settings.queue_capacity
        assert (state["clients"]["shown"], state["refused"], state["profiles"]) == ([], {}, [])
        (network,) = state["networks"]
        assert (network["name"], network["fingerprint"]) == (model.name, model.fingerprint.hex())
        assert network["current"]
        assert network["bundle_bytes"] > 0
        (worker,) = state["workers"]
        assert (worker["number"], worker["state"]) == (1, "ready")
        assert worker["memory_bytes"] > 1 << 20
        assert state["bundles"] == {"served": False, "under_way": 0, "sent": {}}


def test_one_that_is_starting_has_a_page_too() -> None:
    with Server(start=False) as server:
        state = seen(server)
        assert (state["state"], state["networks"], state["queue"]["depth"]) == ("starting", [], 0)
        server.stop_service().result(WAIT_S)  # its start has failed
        assert seen(server)["state"] == "stopped"
        server.loop.call_soon_threadsafe(each_second, server.service)


def test_frames_are_counted_by_client_tail_and_batch(pack: Any, tmp_path: Path) -> None:
    tokens = Tokens(tmp_path / "tokens")
    token = tokens.add("gate-3", Right.FRAMES, Right.JSON)
    with Server(token_file=str(tokens.path)) as server:
        data = pack()
        for _ in range(3):
            assert server.ask("POST", "/model", data, **FRAME, **bearing(token)).status == 200
        assert (
            server.ask("POST", "/model", b"nonsense", **FRAME, **bearing(tokens.of["frames"])).status == 400
        )
        server.ask("POST", "/model", data, **FRAME).refused(401, "unauthenticated")
        server.ask("GET", "/metrics", **bearing(tokens.of["metrics"]))
        server.ask("GET", "/metrics", **bearing(tokens.of["frames"])).refused(403, "forbidden")
        state = seen(server)
        gate = client(state, "gate-3")
        assert (gate["frames"], gate["bytes"], gate["refused"]) == (3, 3 * len(data), {})
        assert client(state, "frames")["refused"] == {"bad_frame": 1, "forbidden": 1}
        assert client(state, "127.0.0.1")["refused"] == {"unauthenticated": 1}
        assert "metrics" not in {each["name"] for each in state["clients"]["shown"]}, "it sent no frame"
        assert state["refused"] == {"bad_frame": 1, "forbidden": 1, "unauthenticated": 1}
        assert (state["batches"]["runs"][0], sum(state["batches"]["runs"]), state["batches"]["mean"]) == (
            3,
            3,
            1.0,
        )
        (network,) = state["networks"]
        tails = {tail["split_point"]: tail for tail in network["tails"]}
        assert tails["flatten"]["frames"] == 3
        assert tails["flatten"]["lately_ms"] > 0
        assert tails["flatten"]["ready"]
        assert {tail["frames"] for name, tail in tails.items() if name != "flatten"} == {0}
        assert state["now"]["steps_ms"].keys() == {"receive", "decode", "queue", "tail", "top"}


def test_the_seconds_have_every_frame_once(pack: Any) -> None:
    with Server() as server:
        page, data = Page(server.service), pack()
        seen(server, page)
        for _ in range(5):
            assert server.frame(data).status == 200
        until(lambda: sum(seen(server, page)["history"]["frames"]) == 5)
        state = seen(server, page)
        assert sum(state["history"]["bytes"]) == 5 * len(data) == total(state, "bytes")
        known = [each for each in state["history"]["median_ms"] if each is not None]
        assert known
        assert all(0 < each < 1e3 * WAIT_S for each in known)
        assert state["now"]["frames_per_s"] == 0.5
        assert sum(seen(server)["history"]["frames"]) == 5, "a new viewer sees them too"


def test_several_frames_of_one_request_are_as_many(crossing: Any) -> None:
    tensors, _ = crossing("flatten", 4)
    with Server() as server:
        assert server.post({"data": tensors.tolist(), "split_point": "flatten"}).status == 200
        state = seen(server)
        assert client(state, "127.0.0.1")["frames"] == 4
        assert sum(tail["frames"] for tail in state["networks"][0]["tails"]) == 4


def test_while_the_workers_cannot_be_asked_it_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, pack: Any
) -> None:
    gone = False

    async def ask(since: int) -> dict[int, Any]:
        if gone:
            raise GoneError("no answer within 5 s")
        return {1: part_of(server.service, since), 2: None}

    with Server() as server, caplog.at_level("INFO", "cloud.http.page"):
        monkeypatch.setattr(server.service, "siblings", SimpleNamespace(page=ask))
        page = Page(server.service)
        assert server.frame(pack()).status == 200
        before = seen(server, page)
        assert (before["state"], total(before, "frames")) == ("ready", 1)
        assert before["workers"][1] == {"number": 2, "state": "silent"}
        gone = True
        assert [seen(server, page) for _ in range(3)] == [before | {"state": "silent"}] * 3
        assert seen(server) == {"state": "silent"}, "one that has seen nothing yet"
        gone = False
        assert seen(server, page)["state"] == "ready"
        gone = True
        seen(server, page)
    said = [each for each in caplog.messages if "the page stands still" in each]
    assert said == ["the page stands still: no answer within 5 s"] * 3, "once each time, for each page"


def test_clients_that_send_most_have_a_line_and_the_rest_one_together(pack: Any) -> None:
    with Server() as server:
        data = pack()
        many = MOST + 6
        for number in range(many):
            with server.connect(f"127.0.1.{number + 1}") as connection:
                assert connection.ask("POST", "/model", data, FRAME).status == 200
        state = seen(server)
        assert len(state["clients"]["shown"]) == SHOWN
        assert state["clients"]["others"]["clients"] == many - SHOWN
        assert (total(state, "frames"), total(state, "bytes")) == (many, many * len(data))
        assert len(json.dumps(state)) < 40_000


def test_tail_times_and_profiles_are_shown(fresh: Server, make: Callable[..., Profile]) -> None:
    assert fresh.ask("GET", "/tail-times").status == 200
    profile = make()
    assert fresh.put_profile(profile.data).status == 201
    state = seen(fresh)
    (network,) = state["networks"]
    told = fresh.ask("GET", "/tail-times").json["tails_ms"]
    assert {
        tail["split_point"]: tail["alone_ms"] for tail in network["tails"] if tail["alone_ms"] is not None
    } == {name: row[0] for name, row in told.items()}
    (shown,) = state["profiles"]
    assert (shown["name"], shown["split_point"]) == (profile.name, "flatten")
    assert shown["bytes"] == len(profile.data)
    assert "about" not in shown


def test_looking_again_takes_only_what_is_new(pack: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with Server() as server:
        page, asked = Page(server.service), []
        rows = server.service.recent.rows
        monkeypatch.setattr(server.service.recent, "rows", lambda since: asked.append(since) or rows(since))  # type: ignore[func-returns-value]
        for _ in range(2):
            seen(server, page)
        now = server.service.recent.second()
        assert asked[0] == 0
        assert now - 5 <= asked[1] <= now
