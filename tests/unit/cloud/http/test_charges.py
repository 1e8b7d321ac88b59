"""What a request costs is its client's, whichever endpoint it went to: profiles, times of tails, compilations, answers as JSON."""

from __future__ import annotations

import contextlib
import json
import threading
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from kits.cloud import FRAME, JSON, WAIT_S, Server, request, until
from kits.gain import Gained
from kits.tail_times import Clock, quick

from cloud.batching import tail_times as tail_times_module
from cloud.profiles.store import Profiles
from shared.limits import MAX_CLIENT_BUILDS, MAX_CLIENT_COMPILATIONS

if TYPE_CHECKING:
    import pytest

    from cloud.access.clients import Account
    from shared.codecs.calibrated.profile import Profile

GREEDY, HONEST = "127.0.0.7", "127.0.0.8"


def account(server: Server, client: str) -> Account:
    return server.service.clients.account(client)


def test_a_client_with_one_profile_goes_before_the_rest_of_a_client_with_many(
    make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    built: list[str] = []
    begun, go_on = threading.Event(), threading.Event()

    def slow(profile: Profile) -> Gained:
        built.append(profile.name)
        begun.set()
        assert go_on.wait(WAIT_S)
        return Gained(profile)

    monkeypatch.setattr("cloud.service.Profiles", partial(Profiles, slow))
    with Server() as server, contextlib.ExitStack() as stack:
        many = [make(1.0 + number) for number in range(MAX_CLIENT_BUILDS)]
        one = make(0.5)
        connections = []
        for profile, client in [*((each, GREEDY) for each in many), (one, HONEST)]:
            connections.append(stack.enter_context(server.connect(client)))
            connections[-1].send(request("PUT", f"/profiles/{profile.name}", profile.data))
            until(lambda: begun.is_set() and server.service.profile_turns.waiting() == len(connections) - 1)
        go_on.set()
        assert {connection.answer().status for connection in connections} == {201}
        assert built[:2] == [many[0].name, one.name]
        assert all(account(server, client).compute_s > 0 for client in (GREEDY, HONEST))


def test_who_has_used_its_share_has_no_profile_built_and_no_tail_timed(make: Any, fresh: Server) -> None:
    del fresh
    with quick(client_compute=0.5) as (server, _), server.connect(GREEDY) as greedy:
        account(server, GREEDY).spend(100.0)
        profile = make(1.0)
        for path, method, body in (
            (f"/profiles/{profile.name}", "PUT", profile.data),
            ("/tail-times", "GET", b""),
        ):
            refused = greedy.ask(method, path, body)
            assert refused.refused(429, "over_quota")["accepted"] == {"compute_s_per_s": 0.5}
            assert int(refused.headers["retry-after"]) > 100
        with server.connect(HONEST) as honest:
            assert honest.ask("GET", "/tail-times").status == 200
        assert greedy.ask("GET", "/tail-times").status == 200  # what is known costs nothing


def test_whoever_has_the_tails_timed_first_is_charged_and_lets_others_go_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = Clock()
    monkeypatch.setattr(tail_times_module, "time", clock)
    with quick(max_batch=1) as (server, tails):
        charged: list[tuple[object, float]] = []
        monkeypatch.setattr(server.service.batcher, "charge", lambda *given: charged.append(given))

        def take(_name: str, _size: int, _times: int) -> None:
            clock.now += 0.25

        tails.during = take
        for client in (GREEDY, HONEST):
            with server.connect(client) as connection:
                assert connection.ask("GET", "/tail-times").status == 200
        assert {client for client, _ in charged} == {GREEDY}
        assert sum(seconds for _, seconds in charged) == 0.25 * len(tails.runs)
        assert account(server, GREEDY).compute_s >= 0.25 * len(tails.runs)
        assert account(server, HONEST).compute_s == 0
        assert (
            account(server, GREEDY).settle() < 0.25
        )  # of the runs nothing is left for its next frame to pay


def test_a_client_that_has_too_much_compiled_is_told_when_to_come_again(pack: Any) -> None:
    with Server() as server, server.connect(GREEDY) as greedy, server.connect(HONEST) as honest:
        for _ in range(MAX_CLIENT_COMPILATIONS):
            account(server, GREEDY).begin_compilation()
        assert not server.service.network.tails.is_ready("flatten")
        refused = greedy.ask("POST", "/model", pack(), FRAME)
        assert refused.refused(429, "over_quota")["accepted"] == {
            "compilations_a_minute": MAX_CLIENT_COMPILATIONS
        }
        assert 1 <= int(refused.headers["retry-after"]) <= 10
        assert server.metric("rejected_total", reason="over_quota") == 1
        assert honest.ask("POST", "/model", pack(), FRAME).status == 200
        assert greedy.ask("POST", "/model", pack(), FRAME).status == 200  # it is ready now
        until(server.is_empty)


def test_answers_as_json_take_turns_and_are_charged(crossing: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    tensors, _ = crossing("flatten")
    begun, go_on = threading.Event(), threading.Event()

    def slow(*_arguments: Any) -> bytes:
        begun.set()
        assert go_on.wait(WAIT_S)
        sum(range(1 << 16))
        return b"{}"

    with Server() as server, contextlib.ExitStack() as stack:
        server.service.network.tails.prepare("flatten")
        monkeypatch.setattr("cloud.http.model.json_answer", slow)
        turns = server.service.decoder.turns
        body = json.dumps({"data": tensors.tolist(), "split_point": "flatten"}).encode()
        threads = server.service.pools.decode.size
        connections = [stack.enter_context(server.connect(GREEDY)) for _ in range(threads + 1)]
        for connection in connections:
            connection.send(request("POST", "/model", body, JSON))
        assert begun.wait(WAIT_S)
        until(lambda: turns.waiting() == 1)
        before_s = account(server, GREEDY).compute_s
        go_on.set()
        assert {connection.answer().status for connection in connections} == {200}
        assert account(server, GREEDY).compute_s > before_s


def test_an_answer_as_json_that_would_be_too_long_is_refused_before_a_tail_is_run(
    crossing: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    tensors, _ = crossing("flatten", 3)
    monkeypatch.setattr("cloud.bodies.json.answer.MAX_JSON_ANSWER_BYTES", 30_000)
    with Server() as server:
        one = {"data": tensors[:1].tolist(), "split_point": "flatten"}
        assert server.post(one).status == 200
        runs = server.metric("batch_size_count")
        refusal = server.post({"data": np.repeat(tensors, 3, axis=0).tolist(), "split_point": "flatten"})
        assert "numbers" in refusal.refused(422, "answer_too_long")["error"]
        assert server.metric("batch_size_count") == runs
        assert server.post(one).status == 200
