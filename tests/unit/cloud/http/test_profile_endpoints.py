"""`/profiles`, and the frames that name what was brought there."""

from __future__ import annotations

import contextlib
import hashlib
import json
import random
import struct
import threading
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from kits.cloud import FRAME, WAIT_S, Answer, Server, chunked, request, until
from kits.codecs import frame_of
from kits.gain import Gained, gain_profile

from cloud.profiles import MAX_PROFILES, Profiles
from shared.codecs import CODECS
from shared.codecs.calibrated.codec import Calibrated
from shared.codecs.calibrated.profile import Profile
from shared.limits import MAX_PROFILE_BYTES
from shared.wire import frame as wire

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shared.network.model import Model

POINT, SHAPE = "flatten", (512,)
ARRAY = np.linspace(-1, 1, 512, dtype=np.float32)


@pytest.fixture(autouse=True)
def _gained(monkeypatch: pytest.MonkeyPatch) -> None:
    """The wire's id stays, what is behind it is a codec of one number."""
    monkeypatch.setitem(CODECS, Calibrated.id, Calibrated())
    monkeypatch.setattr("cloud.service.Profiles", partial(Profiles, Gained))


@pytest.fixture
def fresh(_gained: None) -> Iterator[Server]:
    with Server() as running:
        yield running


@pytest.fixture
def make(resnet18: Model) -> Any:
    return partial(gain_profile, resnet18.fingerprint, POINT, SHAPE)


@pytest.fixture
def framed(resnet18: Model) -> Any:
    """A packed frame whose codec has this profile."""

    def framed(profile: Profile, **changes: Any) -> bytes:
        fields = {"split_point": POINT, "fingerprint": resnet18.fingerprint, "deadline_ms": 0} | changes
        return wire.pack(frame_of(Gained(profile), ARRAY, **fields))

    return framed


def put(server: Server, data: bytes, name: str | None = None, **headers: str) -> Answer:
    name = hashlib.sha256(data).hexdigest()[:32] if name is None else name
    return server.ask("PUT", f"/profiles/{name}", data, **headers)


def test_a_profile_is_brought_once_and_its_frames_are_answered(
    fresh: Server, make: Any, framed: Any, pack: Any
) -> None:
    profile = make(4.0)
    assert fresh.ask("GET", "/profiles").json == {"profiles": []}
    assert fresh.ask("GET", "/model").json["profiles"] == []
    assert fresh.ask("GET", f"/profiles/{profile.name}").refused(404, "http")
    answers = [put(fresh, profile.data) for _ in range(3)]
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
    assert answer.json["top"] == fresh.frame(pack(ARRAY)).json["top"]
    until(lambda: fresh.metric("requests_total", endpoint="/profiles", code="201") == 1)
    until(lambda: fresh.metric("requests_total", endpoint="/profiles", code="200") == 5)
    assert fresh.is_empty()


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
    many = [make(1.0 + number) for number in range(MAX_PROFILES + 1)]
    for profile in many:
        assert put(fresh, profile.data).status == 201
    assert (fresh.metric("profiles"), fresh.metric("profiles_evicted_total")) == (MAX_PROFILES, 1)
    fresh.frame(framed(many[0])).refused(424, "profile_missing")
    assert fresh.frame(framed(many[1])).status == 200
    assert put(fresh, many[0].data).status == 201
    assert fresh.frame(framed(many[0])).status == 200
    assert fresh.metric("profiles_received_total") == MAX_PROFILES + 2


def test_frames_that_do_not_fit_their_profile(fresh: Server, make: Any, framed: Any, resnet18: Model) -> None:
    other = gain_profile(resnet18.fingerprint, "avgpool", (512, 1, 1))
    assert put(fresh, other.data).status == 201
    refusal = fresh.frame(framed(other)).refused(422, "bad_content")
    assert refusal["accepted"] == {"split_point": "avgpool", "shape": [512, 1, 1]}
    for params in (b"", bytes(15), bytes(17), bytes(4096)):
        fresh.frame(framed(make(), params=params)).refused(422, "bad_content")
    fresh.frame(framed(make(), fingerprint=bytes(8))).refused(409, "fingerprint")
    fresh.frame(framed(make(), split_point="nowhere")).refused(422, "split_point")
    fresh.frame(framed(make(), split_point="avgpool")).refused(422, "shape")
    assert fresh.is_empty()


# --- what is refused --------------------------------------------------------------------------------------------------


def forged(header: Any, rest: bytes = b"", length: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + rest


METADATA = {"format": "splitdnn-profile-1", "fingerprint": "00" * 8, "split_point": POINT, "shape": "512"}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0",
        b"profile",
        random.Random(1).randbytes(4000),
        forged({}, length=2**64 - 1),
        forged({}, length=1 << 30),
        forged({}, length=3),
        forged(b"{" * 60_000),
        forged(b"[" * 60_000),
        forged(b"\xff\xfe"),
        forged({}),
        forged({"__metadata__": {}}),
        forged({"__metadata__": ["format"]}),
        forged({"__metadata__": METADATA | {"format": "x" * 50_000}}),
        forged({"__metadata__": METADATA | {"format": "a\nb\x1b[31m"}}),
        forged({"__metadata__": METADATA | {"shape": 512}}),
        forged({"__metadata__": METADATA | {"shape": "512,"}}),
        forged({"__metadata__": METADATA | {"shape": "-1"}}),
        forged({"__metadata__": METADATA | {"shape": "1,1,1,1,1"}}),
        forged({"__metadata__": METADATA | {"shape": "9" * 5000}}),
        forged({"__metadata__": METADATA | {"fingerprint": "zz"}}),
        forged({"__metadata__": METADATA | {"fingerprint": "00"}}),
        forged({"__metadata__": METADATA, "gain": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}),
        forged(
            {"__metadata__": METADATA, "gain": {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 4]}},
            bytes(4),
        ),
        forged(
            {"__metadata__": METADATA, "gain": {"dtype": "F32", "shape": [1], "data_offsets": [4, 0]}},
            bytes(4),
        ),
        forged(
            {"__metadata__": METADATA, "gain": {"dtype": "F64", "shape": [1], "data_offsets": [0, 8]}},
            bytes(8),
        ),
        forged(
            {"__metadata__": METADATA, "gain": {"dtype": "BF16", "shape": [1], "data_offsets": [0, 2]}},
            bytes(2),
        ),
        forged(
            {"__metadata__": METADATA, "gain": {"dtype": "O", "shape": [1], "data_offsets": [0, 8]}}, bytes(8)
        ),
        forged(
            {"__metadata__": METADATA, "n\n" * 9000: {"dtype": "F64", "shape": [1], "data_offsets": [0, 8]}},
            bytes(8),
        ),
    ],
    ids=lambda data: f"{data[:30]!r}"[:40],
)
def test_a_body_that_is_no_profile(server: Server, data: bytes, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "cloud")
    put(server, data).refused(422, "bad_profile")
    assert all(len(record.getMessage().splitlines()) == 1 for record in caplog.records)
    assert server.ask("GET", "/profiles").json == {"profiles": []}


def test_every_beginning_and_any_changed_byte_of_a_profile_is_another_file(
    fresh: Server, make: Any, expect_log: pytest.LogCaptureFixture
) -> None:
    """Truncated under its own hash: refused. Changed under its own hash: refused, or another profile."""
    data = make(room=40).data
    with fresh.connect() as connection:

        def ask(body: bytes) -> Answer:
            return connection.ask("PUT", f"/profiles/{hashlib.sha256(body).hexdigest()[:32]}", body)

        for end in range(0, len(data), 7):
            ask(data[:end]).refused(422, "bad_profile")
        generator = random.Random(5)
        statuses = set()
        for position in range(len(data)):
            body = bytearray(data)
            body[position] ^= 1 << generator.randrange(8)
            statuses.add(ask(bytes(body)).status)
    assert statuses <= {201, 409, 422}
    assert 422 in statuses
    assert fresh.metric("rejected_total", reason="internal") == 0
    assert not [record for record in expect_log.records if record.exc_info]


def test_a_file_of_another_network_or_another_tensor(server: Server, resnet18: Model) -> None:
    mine = resnet18.fingerprint
    refusal = put(server, gain_profile(bytes(8), POINT, SHAPE).data).refused(409, "fingerprint")
    assert refusal["accepted"]["fingerprint"] == mine.hex()
    put(server, gain_profile(mine, "flattn", SHAPE).data).refused(422, "split_point")
    put(server, gain_profile(mine, "x" * 40_000, SHAPE).data).refused(422, "split_point")
    refusal = put(server, gain_profile(mine, POINT, (511,)).data).refused(422, "shape")
    assert refusal["accepted"] == {"shape": [512]}
    useless = Profile.make({}, fingerprint=mine, split_point=POINT, shape=SHAPE, about={})
    put(server, useless.data).refused(422, "bad_profile")


def test_a_name_is_the_bodys_hash_in_lower_case(server: Server, make: Any) -> None:
    profile = make()
    name = profile.name
    for wrong in (
        "",
        "profile",
        name[:-1],
        name + "0",
        name.upper(),
        "../" + name,
        f"%2e{name[3:]}",
        "a" * 9000,
    ):
        refusal = put(server, profile.data, wrong).refused(422, "bad_profile")
        assert "SHA-256" in refusal["accepted"]["name"]
    for wrong in ("0" * 32, make(3.0).name):
        refusal = put(server, profile.data, wrong).refused(422, "bad_profile")
        assert refusal["accepted"] == {"put": f"/profiles/{name}"}
    assert server.metric("profiles") == 0


def test_a_name_that_is_here_does_not_make_another_body_right(fresh: Server, make: Any) -> None:
    profile = make()
    assert put(fresh, profile.data).status == 201
    put(fresh, profile.data[:-1], profile.name).refused(422, "bad_profile")
    assert put(fresh, profile.data).status == 200


def test_a_file_above_the_limit_is_refused_while_it_comes(server: Server) -> None:
    body = bytes(MAX_PROFILE_BYTES + (1 << 20))
    with server.connect() as connection:
        connection.send(request("PUT", f"/profiles/{'0' * 32}", headers={"Content-Length": str(len(body))}))
        refusal = connection.answer().refused(413, "too_large")
        assert refusal["accepted"] == {"max_bytes": MAX_PROFILE_BYTES}
    with server.connect() as connection:  # not declared
        data = chunked(*[body[: 1 << 20]] * 33)
        connection.send(request("PUT", f"/profiles/{'0' * 32}", data, {"Transfer-Encoding": "chunked"}))
        connection.answer().refused(413, "too_large")
    until(server.is_empty)


def test_the_servers_own_limits_hold_for_profiles_too(make: Any) -> None:
    data = make(room=3000).data
    with Server(max_body_bytes=2000) as server:
        assert server.ask("GET", "/model").json["limits"]["max_profile_bytes"] == 2000
        assert put(server, data).refused(413, "too_large")["accepted"] == {"max_bytes": 2000}
    with Server(max_buffered_bytes=2000) as server:
        put(server, data).refused(503, "queue_full")
        until(server.is_empty)
        assert put(server, make().data).status == 201


def test_what_is_not_spoken(server: Server, make: Any) -> None:
    put(server, make().data, **{"Content-Encoding": "gzip"}).refused(415, "media_type")
    answer = server.ask("POST", f"/profiles/{make().name}", make().data)
    assert answer.refused(405, "http")["accepted"] == ["GET", "PUT"]
    assert server.ask("PUT", "/profiles", make().data).refused(405, "http")["accepted"] == ["GET"]
    for name in ("nothing", "0" * 32, "%ff", "../model"):
        server.ask("GET", f"/profiles/{name}").refused(404, "http")


def test_a_server_that_starts_or_ends_takes_none(make: Any) -> None:
    with Server(start=False) as server:
        put(server, make().data).refused(503, "unavailable")
        assert server.ask("GET", "/profiles").json == {"profiles": []}
    with Server() as server:
        server.stop_service().result(WAIT_S)
        put(server, make().data).refused(503, "unavailable")


def test_a_profile_may_take_longer_to_arrive_than_a_frame(make: Any, framed: Any) -> None:
    profile = make(room=5000)
    with Server(request_timeout_s=0.2) as server, server.connect() as slow, server.connect() as frame:
        slow.send(request("PUT", f"/profiles/{profile.name}", profile.data)[:-10])
        frame.send(request("POST", "/model", framed(profile), FRAME)[:-10])
        assert frame.closed_by_server()
        slow.send(profile.data[-10:])
        assert slow.answer().status == 201
        until(server.is_empty)


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
        put(server, quick_one.data)
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
        until(lambda: server.service._profile_thread._work_queue.qsize() == 1)
        server.stop_service().result(WAIT_S)
        second.answer().refused(503, "unavailable")
        go_on.set()
        assert first.answer().status == 201
