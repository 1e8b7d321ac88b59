"""A flood over TLS and by tokens, against a cloud in this process whose accounts can be looked at afterwards."""

from __future__ import annotations

import asyncio
import os
from functools import partial

import pytest
from kits.certificates import Certificates
from kits.cloud import Server, until
from kits.numpy_network import network_of, write_bundle
from kits.tokens import Tokens, bearing

from bench.harness.scrape import parse
from bench.load.flood.findings import judged
from bench.load.flood.run import Flood, Plan
from bench.load.flood.visitor import LEFT, MOMENTS
from bench.soak.ledger import read_rows
from cloud.networks.description import description
from shared.observing.telemetry import exposition
from shared.security.rights import GROUPS
from shared.security.tls.context import client_context

NAMES = ("gate", "yard", "roof")
REQUESTS = 300


class Near:
    """The server of this process, as a flood asks it."""

    def __init__(self, server, tokens, context):
        self.pid, self.url = os.getpid(), f"https://127.0.0.1:{server.port}"
        self.context, self.describe = context, partial(description, server.service)
        self._server, self._tokens = server, tokens

    def metrics(self):
        return parse(exposition(self._server.service.metrics.registry, "")[1].decode())

    def headers(self, name):
        return bearing(self._tokens[name])


@pytest.fixture(scope="module")
def flooded(tmp_path_factory):
    """The outcome, its ledger, and the server that has come to rest."""
    folder = tmp_path_factory.mktemp("flood")
    bundle = write_bundle(folder / "bundle")
    certificates, tokens = Certificates.at(folder), Tokens(folder / "tokens", ())
    shown = {name: tokens.add(name, *GROUPS["edge"]) for name in NAMES}
    ledger = folder / "ledger.jsonl"
    settings = {"token_file": str(tokens.path), "ledger": str(ledger), "queue_capacity": 8, "max_batch": 4}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("cloud.networks.network.load_network", lambda *_, **__: network_of(bundle))
        with Server(**certificates.cloud(), **settings) as server:
            near = Near(server, shown, client_context(certificates.files("edge")))
            plan = Plan(REQUESTS, 5.0, 0.5, NAMES, 6, 60.0, 0.3, split_point="flatten")
            outcome = asyncio.run(Flood(plan, near, lambda _: None).run())
            until(lambda: len(server.service.crowd) == 0)
            yield outcome, read_rows(ledger), server


def test_no_answer_is_anothers_none_is_missing_and_nothing_is_left(flooded):
    outcome, ledger, _ = flooded
    findings = judged(outcome, ledger, NAMES)
    assert findings.faults == [], findings.text
    assert "none is missing" in findings.text
    diary = outcome.diary
    assert outcome.requests > 0.9 * REQUESTS
    assert diary.statuses[200] > 50
    assert diary.statuses[LEFT] > 0.3 * REQUESTS
    assert min(diary.left[moment] for moment in MOMENTS) > 10
    assert set(diary.answered.values()) == {0, 1, 2}


def test_every_account_is_even(flooded):
    *_, server = flooded
    service = server.service
    accounts = list(service.clients._accounts.values())
    assert {account.name for account in accounts} >= set(NAMES)
    for account in accounts:
        assert (account.frames, account.body_bytes) == (0, 0), account.name
    assert (service.lifecycle.frames, service.bodies.size, len(service.bodies._places)) == (0, 0, 0)
    assert service.crowd._of_owner.total() == 0
    assert server.metric("queue_depth") == server.metric("frames") == server.metric("active_clients") == 0


def test_each_connection_took_one_handshake(flooded):
    outcome, _, server = flooded
    diary = outcome.diary
    until(
        lambda: (
            sum(server.metric("handshakes_total", result=each) for each in ("complete", "gone"))
            == diary.opened
        )
    )
    assert server.metric("handshakes_total", result="refused") == 0
    assert diary.opened < diary.statuses.total(), "connections are kept by those who stay"
