"""deploy/balancer as it stands, in front of three real clouds: what happens to frames when clouds come, drain and die."""

from __future__ import annotations

import socket
from collections import Counter
from contextlib import ExitStack, closing
from http.client import HTTPConnection
from typing import TYPE_CHECKING

import pytest
from kits import balancer, bundles
from kits.common import wait_for
from kits.fleet import Fleet
from kits.profiles import make_profile
from kits.rude_cloud import RudeCloud

from shared.limits import MAX_FRAME_BYTES
from shared.wire.cloud_id import CLOUD_HEADER
from shared.wire.http import CONTENT_TYPE

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.timeout(300)
ALL = (1, 2, 3)
SLOW = ("--min-body-rate=0.01", "--request-timeout-s=300", "--drain-s=200")
"""So that a frame whose end is held back is waited for, on a machine that is busy with others too."""
HEAD = (
    f"POST /model HTTP/1.1\r\nHost: x\r\nContent-Type: {CONTENT_TYPE}\r\nContent-Length: 4\r\n\r\n".encode()
)


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    with Fleet(tmp_path_factory.mktemp("fleet"), flags=SLOW) as found:
        yield found


@pytest.fixture(params=["haproxy", "envoy"])
def kind(request: pytest.FixtureRequest) -> type[balancer.HAProxy | balancer.Envoy]:
    if request.param == "haproxy" and not balancer.HAPROXY:
        pytest.skip("no haproxy here (Debian: apt-get install haproxy)")
    if request.param == "envoy" and not balancer.ENVOY:
        pytest.skip("no envoy here (make envoy-test)")
    return balancer.HAProxy if request.param == "haproxy" else balancer.Envoy


@pytest.fixture
def balanced(kind, fleet: Fleet, tmp_path) -> Iterator[balancer.Balancer]:
    for cloud in fleet.clouds:
        if not cloud.is_up():
            cloud.start()
            cloud.wait_until_ready()
    with kind(tmp_path, fleet.ports) as found:
        found.wait_for_clouds(*ALL, count=3)
        yield found


def test_one_edges_frames_are_spread_by_request(fleet, balanced):
    def evenly() -> bool:  # once no cloud is in its slow start
        run = fleet.edge(balanced.url, frames=60)
        records = run.finish()
        fleet.join(run)
        assert set(run.answered_by()) == {"cloud"}
        return min(fleet.answered(records)) >= 15

    wait_for(evenly, "60 frames spread evenly over three clouds", 120)


def test_a_killed_cloud_costs_no_answer(fleet, balanced):
    run = fleet.edge(balanced.url, fps=40, frames=200)
    run.wait_for_records(40)
    fleet.clouds[0].kill()
    records = run.finish()
    fleet.join(run)
    assert set(run.answered_by()) == {"cloud"}
    assert min(fleet.answered(records)[1:]) >= 60


def test_a_cloud_that_drains_gets_nothing_new_and_costs_no_answer(fleet, balanced):
    draining = fleet.clouds[1]
    with socket.create_connection(("127.0.0.1", draining.port), 60) as held:
        held.sendall(HEAD + b"abc")  # a frame in progress, whose end it waits for
        wait_for(lambda: draining.metrics().value("splitdnn_cloud_frames") == 1, "a frame in progress")
        run = fleet.edge(balanced.url, fps=40, frames=400)
        run.wait_for_records(40)
        draining.process.terminate()
        balanced.wait_for_clouds(1, 3, count=3)
        assert draining.is_up()
        run.wait_for_records(len(run.records) + 10)  # those that it had taken before
        before = fleet.answered(run.records.copy())[1]
        run.wait_for_records(len(run.records) + 60)
        assert draining.is_up()
        assert fleet.answered(run.records.copy())[1] == before > 0
        held.sendall(b"d")
    assert draining.process.wait(60) == 0
    records = run.finish()
    fleet.join(run)
    assert set(run.answered_by()) == {"cloud"}
    assert sum(fleet.answered(records)) == 400


def test_a_request_of_an_edge_that_gave_up_is_given_up(fleet, balanced):
    for cloud in fleet.clouds:
        cloud.pause()
    try:
        with socket.create_connection(("127.0.0.1", balanced.port), 60) as client:
            client.sendall(HEAD + b"abcd")
            wait_for(lambda: balanced.under_way() == 1, "the request with a cloud")
        wait_for(lambda: balanced.under_way() == 0, "no request with a cloud", 10)
    finally:
        for cloud in fleet.clouds:
            cloud.resume()


def test_a_profile_goes_to_the_cloud_that_it_is_meant_for(fleet, balanced):
    ids = [cloud.describe()["cloud"] for cloud in fleet.clouds]
    by = Counter[str | None]()

    def learned() -> bool:  # from their answers; Envoy's two threads do so each for itself
        by[asked(balanced, "GET", "/model")[1]] += 1
        return min(by[each] for each in ids) >= 12

    wait_for(learned, f"a dozen answers of every cloud, {ids}", 120)
    for number, meant in enumerate(fleet.clouds):
        seed = number + 3 * isinstance(balanced, balancer.Envoy)
        profile = make_profile(
            bytes.fromhex(bundles.fingerprint()), "pool", bundles.SHAPES["pool"], seed=seed
        )
        before = received(fleet)
        for repeat in range(4):
            answer = asked(balanced, "PUT", f"/profiles/{profile.name}", profile.data, ids[number])
            assert answer == (200 if repeat else 201, ids[number])
        more = [now - then for now, then in zip(received(fleet), before, strict=True)]
        assert more == [float(each is meant) for each in fleet.clouds]


def test_an_edge_brings_its_profile_to_each_cloud_once_at_most(fleet, balanced, tmp_path):
    seed = 10 + isinstance(balanced, balancer.Envoy)
    fingerprint = bytes.fromhex(bundles.fingerprint())
    profile = make_profile(fingerprint, "pool", bundles.SHAPES["pool"], seed=seed, signed=True)
    (tmp_path / "profile").write_bytes(profile.data)
    before = received(fleet)
    run = fleet.edge(balanced.url, fps=20, frames=80, codec="calibrated", profile=str(tmp_path / "profile"))
    records = run.finish()
    fleet.join(run)
    assert sum(received(fleet)) - sum(before) <= 3
    assert run.answered_by().count("cloud") >= 77, run.said()
    assert min(fleet.answered(records)) > 0


def received(fleet: Fleet) -> list[float]:
    """How many profiles each cloud has taken."""
    return [cloud.metrics().value("splitdnn_cloud_profiles_received_total") or 0 for cloud in fleet.clouds]


def asked(
    balanced: balancer.Balancer, method: str, path: str, body: bytes | None = None, cloud: str | None = None
) -> tuple[int, str | None]:
    """The status of an answer, and the cloud that gave it; `cloud` is the one that the request names."""
    with closing(HTTPConnection("127.0.0.1", balanced.port, timeout=60)) as connection:
        connection.request(method, path, body, {CLOUD_HEADER: cloud} if cloud else {})
        answer = connection.getresponse()
        answer.read()
        return answer.status, answer.headers[CLOUD_HEADER]


def test_a_body_that_no_cloud_takes_goes_no_further(balanced):
    with closing(HTTPConnection("127.0.0.1", balanced.port, timeout=60)) as connection:
        connection.putrequest("POST", "/model")
        connection.putheader("Content-Length", str(MAX_FRAME_BYTES + 1))
        connection.endheaders()
        answer = connection.getresponse()
        assert answer.status == 413
        assert CLOUD_HEADER not in answer.headers


REQUESTS = {
    ("GET", "/model"): 3, ("POST", "/model"): 3, ("POST", "/compute"): 3, ("PUT", "/profiles/00"): 3, ("POST", "/v2/models/tiny/infer"): 3,
    ("POST", "/login"): 1, ("POST", "/logout"): 1, ("DELETE", "/profiles/00"): 1, ("POST", "/v2/repository/index"): 1, ("PUT", "/model"): 1,
}  # fmt: skip
"""How often each is sent to clouds of which every one breaks the connection."""


def test_what_may_be_done_twice_is_sent_again_and_nothing_else(kind, tmp_path):
    with ExitStack() as stack:
        clouds = [stack.enter_context(RudeCloud()) for _ in range(3)]
        balanced = stack.enter_context(kind(tmp_path, [cloud.port for cloud in clouds]))
        balanced.wait_for_clouds(*ALL, count=3)
        for (method, path), times in REQUESTS.items():
            body = b"{}" if method in ("POST", "PUT") else None
            assert asked(balanced, method, path, body) in [(502, None), (503, None)], (method, path)
            counts = [cloud.asked[f"{method} {path}"] for cloud in clouds]
            assert sum(counts) == times, (method, path, counts)
            # A retry goes to another cloud; Envoy's threads hear of a healthy one a moment after it says so itself.
            assert max(counts) == 1 or isinstance(balanced, balancer.Envoy), (method, path, counts)
        # A frame as long as one that ResNet-50 has after its first stage; a longer one is not held, and so not sent again.
        asked(balanced, "POST", "/model?top=1", bytes(802_816))
        assert sum(cloud.asked["POST /model?top=1"] for cloud in clouds) == 3
        asked(balanced, "POST", "/model?top=2", bytes(3_211_264))
        assert sum(cloud.asked["POST /model?top=2"] for cloud in clouds) == 1
