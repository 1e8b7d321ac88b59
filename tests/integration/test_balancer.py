"""deploy/balancer as it stands, in front of three real clouds: what HAProxy does with frames when clouds come, drain and die."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest
from kits import balancer
from kits.common import wait_for
from kits.fleet import Fleet

from shared.wire.http import CONTENT_TYPE

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.skipif(not balancer.HAPROXY, reason="no haproxy here (Debian: apt-get install haproxy)"),
]
ALL = (1, 2, 3)
HEAD = (
    f"POST /model HTTP/1.1\r\nHost: x\r\nContent-Type: {CONTENT_TYPE}\r\nContent-Length: 4\r\n\r\n".encode()
)


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    with Fleet(tmp_path_factory.mktemp("fleet"), flags=("--min-body-rate=0.01",)) as found:
        yield found


@pytest.fixture
def haproxy(fleet: Fleet, tmp_path) -> Iterator[balancer.HAProxy]:
    for cloud in fleet.clouds:
        if not cloud.is_up():
            cloud.start()
            cloud.wait_until_ready()
    with balancer.HAProxy(tmp_path, fleet.ports) as found:
        found.wait_for_clouds(*ALL, count=3)
        yield found


def test_one_edges_frames_are_spread_by_request(fleet, haproxy):
    def evenly() -> bool:  # once no cloud is in its slow start
        run = fleet.edge(haproxy.url, frames=60)
        records = run.finish()
        fleet.join(run)
        assert set(run.answered_by()) == {"cloud"}
        return min(fleet.answered(records)) >= 15

    wait_for(evenly, "60 frames spread evenly over three clouds", 60)


def test_a_killed_cloud_costs_no_answer(fleet, haproxy):
    run = fleet.edge(haproxy.url, fps=40, frames=200)
    run.wait_for_records(40)
    fleet.clouds[0].kill()
    records = run.finish()
    fleet.join(run)
    assert set(run.answered_by()) == {"cloud"}
    assert min(fleet.answered(records)[1:]) >= 60


def test_a_cloud_that_drains_gets_nothing_new_and_costs_no_answer(fleet, haproxy):
    draining = fleet.clouds[1]
    with socket.create_connection(("127.0.0.1", draining.port), 5) as held:
        held.sendall(HEAD + b"abc")  # a frame in progress, whose end it waits for
        wait_for(lambda: draining.metrics().value("splitdnn_cloud_frames") == 1, "a frame in progress", 10)
        run = fleet.edge(haproxy.url, fps=40, frames=300)
        run.wait_for_records(40)
        draining.process.terminate()
        haproxy.wait_for_clouds(1, 3, count=3)
        assert draining.is_up()
        before = fleet.answered(run.records.copy())[1]
        run.wait_for_records(len(run.records) + 60)
        assert draining.is_up()
        assert fleet.answered(run.records.copy())[1] == before > 0
        held.sendall(b"d")
    assert draining.process.wait(60) == 0
    records = run.finish()
    fleet.join(run)
    assert set(run.answered_by()) == {"cloud"}
    assert sum(fleet.answered(records)) == 300


def test_a_request_of_an_edge_that_gave_up_is_given_up(fleet, haproxy):
    for cloud in fleet.clouds:
        cloud.pause()
    try:
        with socket.create_connection(("127.0.0.1", haproxy.port), 5) as client:
            client.sendall(HEAD + b"abcd")
            wait_for(lambda: haproxy.under_way() == 1, "the request with a cloud", 10)
        wait_for(lambda: haproxy.under_way() == 0, "no request with a cloud", 10)
    finally:
        for cloud in fleet.clouds:
            cloud.resume()
