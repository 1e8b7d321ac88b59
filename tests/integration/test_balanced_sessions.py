"""Sessions behind deploy/balancer: one belongs to one cloud, and moves when that drains or dies."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from kits import balancer, bundles
from kits.codecs import frame_of
from kits.common import wait_for
from kits.fleet import Fleet
from kits.session_client import Talk

from shared.codecs import NAMES
from shared.wire.session.messages import Answered, GoAway, Hello

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shared.wire.frame import Frame

pytestmark = [pytest.mark.timeout(300), pytest.mark.slow]
FINGERPRINT = bytes.fromhex(bundles.fingerprint())
HELLO = Hello(FINGERPRINT, "top=3", 10_000)


@pytest.fixture(params=["haproxy", "envoy"])
def balanced(request: pytest.FixtureRequest, tmp_path) -> Iterator[tuple[Fleet, balancer.Balancer]]:
    kinds = {"haproxy": (balancer.HAProxy, balancer.HAPROXY), "envoy": (balancer.Envoy, balancer.ENVOY)}
    kind, found = kinds[request.param]
    if not found:
        pytest.skip(f"no {request.param} here")
    with Fleet(tmp_path, count=2) as fleet, kind(tmp_path, fleet.ports) as running:
        running.wait_for_clouds(1, 2, count=2)
        yield fleet, running


class Behind:
    """A balancer, as a session's client sees it."""

    def __init__(self, port: int) -> None:
        self.port = port

    def turned(self) -> None:
        """Nothing is counted here."""


def frame(number: int) -> Frame:
    array = np.random.default_rng(number).normal(size=bundles.SHAPES["pool"]).astype(np.float32)
    return frame_of(
        NAMES["float32"],
        array,
        split_point="pool",
        fingerprint=FINGERPRINT,
        frame_id=number,
        deadline_ms=9_000,
    )


def test_a_session_is_one_cloud_s_and_moves_when_that_drains(balanced):
    fleet, running = balanced
    ids = [cloud.describe()["cloud"] for cloud in fleet.clouds]
    where = Behind(running.port)
    with Talk(where, hello=HELLO) as talk:
        for number in range(20):
            assert isinstance(talk.ask(frame(number)), Answered)
        assert talk.welcome.cloud in ids
        first = ids.index(talk.welcome.cloud)
        assert (
            fleet.clouds[first].metrics().value("splitdnn_cloud_session_frames_total", outcome="answered")
            == 20
        )
        fleet.clouds[first].process.terminate()
        assert talk.read() == GoAway("drain")
        with Talk(where, hello=HELLO) as second:
            assert second.welcome.cloud == ids[1 - first]
            assert isinstance(second.ask(frame(21)), Answered)
    assert fleet.clouds[first].process.wait(60) == 0


def test_a_killed_cloud_s_session_is_opened_anew_at_another(balanced):
    fleet, running = balanced
    ids = [cloud.describe()["cloud"] for cloud in fleet.clouds]
    where = Behind(running.port)
    with Talk(where, hello=HELLO) as talk:
        assert isinstance(talk.ask(frame(1)), Answered)
        first = ids.index(talk.welcome.cloud)
        fleet.clouds[first].kill()
        talk.ends()
        running.wait_for_clouds(2 - first, count=2)
        lost = Hello(FINGERPRINT, "top=3", 10_000, talk.welcome.session, (2,))
        with Talk(where, hello=lost) as second:
            assert not second.welcome.resumed
            assert second.welcome.received == ()
            assert second.welcome.cloud == ids[1 - first]
            assert isinstance(second.ask(frame(2)), Answered)
    wait_for(
        lambda: (
            fleet.clouds[1 - first].metrics().value("splitdnn_cloud_session_hellos_total", result="lost") == 1
        ),
        "a session that is not known there",
    )


def test_an_edge_s_frames_go_by_sessions_and_none_is_lost_when_a_cloud_drains(balanced):
    fleet, running = balanced
    run = fleet.edge(running.url, fps=40, frames=400, session="only")
    run.wait_for_records(100)
    answered = [
        cloud.metrics().value("splitdnn_cloud_session_frames_total", outcome="answered")
        for cloud in fleet.clouds
    ]
    first = answered.index(max(answered))
    assert answered[first] >= 50
    fleet.clouds[first].process.terminate()
    assert fleet.clouds[first].process.wait(60) == 0
    records = run.finish()
    fleet.join(run)
    by = [record["answered_by"] for record in records]
    assert len(by) == 400
    assert by.count("cloud") >= 390
