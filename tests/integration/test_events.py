"""An edge that tells a real broker and a webhook's receiver what happens: both fail meanwhile, and the edge itself is killed."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import random
import sys
import threading
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import pytest
from kits.bundles import tiny
from kits.certificates import Certificates
from kits.common import wait_for
from kits.edge_run import EdgeRun
from kits.mosquitto import MISSING, PROGRAM, USERS, Mosquitto, Subscriber

from bench.soak.events.receiver import Receiver, Reply, Request
from shared.security.tls.context import server_context

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.skipif(PROGRAM is None, reason=MISSING)

KEY = bytes(range(32))


class Thread:
    """A receiver that fails at random, on an event loop of its own."""

    def __init__(self, made: Certificates) -> None:
        draw = random.Random(0)

        def judge(_request: Request) -> Reply:
            return draw.choice([Reply(503), Reply(0), Reply(cut=True), Reply(429), *[Reply()] * 8])

        self.receiver = Receiver(KEY, tls=server_context(made.files("cloud", authority=False)), judge=judge)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._call(self.receiver.start())

    def restart(self) -> None:
        self._call(self.receiver.stop())
        self._call(self.receiver.start())

    def close(self) -> None:
        self._call(self.receiver.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def _call(self, work: Any) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(20)

    def events(self) -> list[dict[str, Any]]:
        return [json.loads(request.body) for request in list(self.receiver.received)]


@pytest.fixture
def made(tmp_path: Path) -> Certificates:
    return Certificates.at(tmp_path / "authority")


@pytest.fixture
def broker(made: Certificates, tmp_path: Path) -> Iterator[Mosquitto]:
    (tmp_path / "broker").mkdir()
    broker = Mosquitto(tmp_path / "broker", made).start()
    yield broker
    broker.stop()


@pytest.fixture
def hook(made: Certificates) -> Iterator[Thread]:
    hook = Thread(made)
    yield hook
    hook.close()


def first_arrivals(events: list[dict[str, Any]]) -> dict[str | None, list[int]]:
    """By camera the numbers in the order in which each came first."""
    found = defaultdict(list)
    for each in {each["id"]: each for each in events}.values():
        found[each["camera"]].append(each["number"])
    return dict(found)


def test_both_targets_get_every_event_in_order_over_restarts_and_a_killed_edge(
    broker: Mosquitto, hook: Thread, made: Certificates, tmp_path: Path
) -> None:
    home = Subscriber(broker, "home")
    wait_for(home.ready.is_set, "the subscription")
    (tmp_path / "password").write_text(USERS["edge"], encoding="utf-8")
    (tmp_path / "secret").write_bytes(base64.b64encode(KEY))
    command = [
        *(sys.executable, "-m", "edge", "--model", str(tiny().folder), "--threads", "1", "--precision", "float32"),
        *("--source", "synthetic:fps=20,width=64,height=48", "--status-port", "0", "--name", "door"),
        *("--cloud-url", "http://127.0.0.1:1", "--results", "-", "--cache-dir", str(tmp_path / "cache")),
        *("--events", f"mqtts://edge@localhost:{broker.port}/home/edge1"),
        *("--events", f"https://localhost:{hook.receiver.port}/hook"),
        *("--events-ca", made.path("edge", "ca.crt"), "--events-frames", "1", "--events-hold-s", "0"),
        *("--events-password-file", str(tmp_path / "password"), "--events-secret-file", str(tmp_path / "secret")),
    ]  # fmt: skip
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SPLITDNN_")}
    edge = EdgeRun(command, environment)
    try:
        edge.wait_for_records(40)
        wait_for(lambda: len(home.events()) > 5, "some events")
        broker.stop()
        hook.restart()
        edge.wait_for_records(80)
        edge.end()  # SIGKILL, while events wait for the broker
        broker.start()
        edge = EdgeRun(command, environment)
        edge.wait_for_records(60)
        hook.restart()
        edge.terminate()
        edge.finish()
        hook.receiver.judge = lambda _: Reply()
        edge = EdgeRun(command, environment)
        edge.wait_for_records(20)
        count = len(home.events())
        wait_for(lambda: len(home.events()) > count, "events of the third run")
        edge.terminate()
        edge.finish()
        told = edge.said()
    finally:
        edge.end()
    wait_for(lambda: home.latest("home/edge1/status") == b"offline", "the will")
    at_home = [json.loads(payload) for _, payload, _ in home.messages if payload.startswith(b"{")]
    home.close()
    found = {"mqtt": first_arrivals(at_home), "webhook": first_arrivals(hook.events())}
    for target, numbers in found.items():
        assert numbers["door"] == list(range(1, len(numbers["door"]) + 1)), (target, numbers, told)
        assert len(numbers["door"]) > 10, (target, told)
        assert numbers[None] == list(range(1, len(numbers[None]) + 1)), (target, numbers)
    assert {each["kind"] for each in at_home} >= {"camera_up", "class_changed", "cloud_away"}
    assert hook.receiver.unsigned == 0
