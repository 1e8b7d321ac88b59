"""`/profiles`: a profile is sent once, by one of many, and the frames that name it are answered."""

from __future__ import annotations

import contextlib
import threading
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import zstandard
from kits.cloud import WAIT_S, Server, request, until
from kits.gain import Gained, gain_profile
from tornado.http1connection import HTTP1Connection

from cloud.profiles.store import Profiles
from shared.limits import MAX_CLIENT_PROFILES

if TYPE_CHECKING:
    from shared.codecs.calibrated.profile import Profile
    from shared.network.model import Model

POINT, SHAPE = "flatten", (512,)

pytestmark = pytest.mark.usefixtures("gained")


def test_a_profile_is_brought_once_and_its_frames_are_answered(
    fresh: Server, make: Any, framed: Any, pack: Any
) -> None:
    profile = make(4.0)
    assert fresh.ask("GET", "/profiles").json == {"profiles": []}
    assert fresh.ask("GET", "/model").json["profiles"] == []
    assert fresh.ask("GET", f"/profiles/{profile.name}").refused(404, "http")
    answers = [fresh.put_profile(profile.data) for _ in range(3)]
    assert [answer.status for answer in answers] == [201, 200, 200]
    assert [answer.json for answer in answers] == [{"name": profile.name}] * 3
    assert fresh.metric("profiles") == fresh.metric("profiles_received_total") == 1
    assert fresh.ask("GET", "/model").json["profiles"] == [profile.name]
    said = fresh.ask("GET", f"/profiles/{profile.name}").json
    assert fresh.ask("GET", "/profiles").json == {"profiles": [said]}
    assert (said["name"], said["split_point"], said["shape"]) == (profile.name, POINT, list(SHAPE))
    assert (said["bytes"], said["about"]) == (len(profile.data), dict(profile.about))
    answer = fresh.frame(framed(profile))
    assert answer.status == 200
    assert answer.json["top"] == fresh.frame(pack(np.linspace(-1, 1, 512, dtype=np.float32))).json["top"]
    until(lambda: fresh.metric("requests_total", endpoint="/profiles", code="201") == 1)
    until(lambda: fresh.metric("requests_total", endpoint="/profiles", code="200") == 5)
    until(fresh.is_empty)


def test_a_packed_profile_is_the_same_one(fresh: Server, make: Any, framed: Any) -> None:
    profile = make(4.0)
    assert fresh.ask("GET", "/model").json["profile_encodings"] == ["identity", "zstd"]
    packed = {"Content-Encoding": "zstd"}
    body = zstandard.compress(profile.data)
    assert fresh.ask("PUT", f"/profiles/{profile.name}", body, **packed).status == 201
    assert fresh.put_profile(profile.data).status == 200
    assert fresh.frame(framed(profile)).status == 200
    bomb = zstandard.compress(bytes(1 << 20))
    refusal = fresh.ask("PUT", f"/profiles/{profile.name}", bomb, **packed).refused(413, "too_large")
    assert refusal["accepted"] == {"max_bytes": 4 * len(bomb)}
    assert fresh.ask("PUT", f"/profiles/{profile.name}", body[:-1], **packed).refused(422, "bad_profile")
    assert fresh.ask("PUT", f"/profiles/{profile.name}", body, **{"Content-Encoding": "gzip"}).refused(
        415, "media_type"
    )
    until(fresh.is_empty)


@pytest.mark.parametrize(
    ("declared", "seconds"),
    [(1000, 120.0), (1_700_000, 445.0), (100 << 20, 120.0)],
    ids=["small", "large", "too large"],
)
def test_it_may_come_as_slowly_as_a_thin_link_carries_it(
    fresh: Server, monkeypatch: pytest.MonkeyPatch, declared: int, seconds: float
) -> None:
    """What is refused as too large is read and dropped, and gets no longer for that."""
    given: list[float] = []
    monkeypatch.setattr(HTTP1Connection, "set_body_timeout", lambda _, seconds: given.append(seconds))
    with fresh.connect() as connection:
        connection.send(request("PUT", f"/profiles/{'0' * 32}", b"", {"Content-Length": str(declared)}))
        until(lambda: bool(given))
    assert given == [seconds]


def test_a_frame_whose_profile_is_not_here_says_where_to_put_it(
    fresh: Server, make: Any, framed: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    profile = make()
    refusal = fresh.frame(framed(profile)).refused(424, "profile_missing")
    assert refusal["accepted"] == {"put": f"/profiles/{profile.name}"}
    assert fresh.metric("rejected_total", reason="profile_missing") == 1
    assert profile.name in caplog.text
    assert fresh.ask("PUT", refusal["accepted"]["put"], profile.data).status == 201
    assert fresh.frame(framed(profile)).status == 200


def test_an_evicted_profile_is_missed_and_can_come_again(fresh: Server, make: Any, framed: Any) -> None:
    many = [make(1.0 + number) for number in range(MAX_CLIENT_PROFILES + 1)]
    for profile in many:
        assert fresh.put_profile(profile.data).status == 201
    assert (fresh.metric("profiles"), fresh.metric("profiles_evicted_total")) == (MAX_CLIENT_PROFILES, 1)
    fresh.frame(framed(many[0])).refused(424, "profile_missing")
    assert fresh.frame(framed(many[1])).status == 200
    assert fresh.put_profile(many[0].data).status == 201
    assert fresh.frame(framed(many[0])).status == 200
    assert fresh.metric("profiles_received_total") == MAX_CLIENT_PROFILES + 2


def test_frames_that_do_not_fit_their_profile(fresh: Server, make: Any, framed: Any, model: Model) -> None:
    other = gain_profile(model.fingerprint, "avgpool", (512, 1, 1))
    assert fresh.put_profile(other.data).status == 201
    refusal = fresh.frame(framed(other)).refused(422, "bad_content")
    assert refusal["accepted"] == {"split_point": "avgpool", "shape": [512, 1, 1]}
    for params in (b"", bytes(15), bytes(17), bytes(4096)):
        fresh.frame(framed(make(), params=params)).refused(422, "bad_content")
    fresh.frame(framed(make(), fingerprint=bytes(8))).refused(409, "fingerprint")
    fresh.frame(framed(make(), split_point="nowhere")).refused(422, "split_point")
    fresh.frame(framed(make(), split_point="avgpool")).refused(422, "shape")
    until(fresh.is_empty)


# --- several at once --------------------------------------------------------------------------------------------------


def test_frames_go_on_while_a_profile_is_built_and_the_same_one_is_built_once(
    monkeypatch: pytest.MonkeyPatch, make: Any, framed: Any
) -> None:
    built, go_on = threading.Semaphore(0), threading.Event()
    slow_one, quick_one = make(7.0), make(2.0)
    count = []

    def build(profile: Profile) -> Gained:
        if profile.name == slow_one.name:
            count.append(profile.name)
            built.release()
            assert go_on.wait(WAIT_S)
        return Gained(profile)

    monkeypatch.setattr("cloud.service.Profiles", partial(Profiles, build))
    with Server() as server, contextlib.ExitStack() as stack:
        server.put_profile(quick_one.data)
        connections = [stack.enter_context(server.connect()) for _ in range(3)]
        for connection in connections:
            connection.send(request("PUT", f"/profiles/{slow_one.name}", slow_one.data))
        assert built.acquire(timeout=WAIT_S)
        assert server.frame(framed(quick_one)).status == 200
        server.frame(framed(slow_one)).refused(424, "profile_missing")
        go_on.set()
        assert sorted(connection.answer().status for connection in connections) == [200, 200, 201]
        assert server.frame(framed(slow_one)).status == 200
    assert len(count) == 1


def test_a_sender_that_goes_away_leaves_nothing_behind(make: Any) -> None:
    with Server() as server:
        data = make(room=5000).data
        with server.connect() as connection:
            connection.send(request("PUT", f"/profiles/{make(room=5000).name}", data)[:-1])
            until(lambda: server.service.buffered_bytes == len(data) - 1)
        until(server.is_empty)
        assert server.metric("abandoned_total") == 1
        assert server.metric("profiles") == 0


@pytest.mark.usefixtures("expect_log")
def test_the_servers_end_overtakes_a_profile_that_waits(monkeypatch: pytest.MonkeyPatch, make: Any) -> None:
    built, go_on = threading.Semaphore(0), threading.Event()

    def build(profile: Profile) -> Gained:
        built.release()
        assert go_on.wait(WAIT_S)
        return Gained(profile)

    monkeypatch.setattr("cloud.service.Profiles", partial(Profiles, build))
    with Server(drain_s=0) as server, server.connect() as first, server.connect() as second:
        first.send(request("PUT", f"/profiles/{make(1.0).name}", make(1.0).data))
        assert built.acquire(timeout=WAIT_S)
        second.send(request("PUT", f"/profiles/{make(2.0).name}", make(2.0).data))
        until(lambda: server.service.profile_turns.waiting() == 1)
        server.stop_service().result(WAIT_S)
        second.answer().refused(503, "unavailable")
        go_on.set()
        assert first.answer().status == 201
