"""What `PUT /profiles/{name}` refuses: files that are no profile, of another network, too large, or at the wrong time."""

from __future__ import annotations

import hashlib
import json
import random
import struct
from typing import TYPE_CHECKING, Any

import pytest
from kits.cloud import FRAME, WAIT_S, Response, Server, chunked, request, until
from kits.gain import gain_profile

from cloud.access.rate import Rate
from shared.codecs.calibrated.profile import Profile
from shared.limits import MAX_PROFILE_BYTES

if TYPE_CHECKING:
    from shared.network.model import Model

POINT, SHAPE = "flatten", (512,)

pytestmark = pytest.mark.usefixtures("gained")


def forged(header: Any, rest: bytes = b"", length: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + rest


METADATA = {"format": "splitdnn-profile-1", "fingerprint": "00" * 8, "split_point": POINT, "shape": "512"}


def tensor(dtype: str, shape: int, end: int, start: int = 0) -> dict[str, Any]:
    """What a header says of one tensor."""
    return {"dtype": dtype, "shape": [shape], "data_offsets": [start, end]}


NO_PROFILES = [
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
    forged({"__metadata__": METADATA | {"shape": "9" * 3000}}),
    forged({"__metadata__": METADATA | {"fingerprint": "zz"}}),
    forged({"__metadata__": METADATA | {"fingerprint": "00"}}),
    forged({"__metadata__": METADATA, "gain": tensor("F32", 1, 4)}),
    forged(
        {"__metadata__": METADATA, "gain": tensor("F32", 2**40, 4)},
        bytes(4),
    ),
    forged(
        {"__metadata__": METADATA, "gain": tensor("F32", 1, 0, 4)},
        bytes(4),
    ),
    forged(
        {"__metadata__": METADATA, "gain": tensor("F64", 1, 8)},
        bytes(8),
    ),
    forged(
        {"__metadata__": METADATA, "gain": tensor("BF16", 1, 2)},
        bytes(2),
    ),
    forged({"__metadata__": METADATA, "gain": tensor("O", 1, 8)}, bytes(8)),
    forged(
        {"__metadata__": METADATA, "n\n" * 9000: tensor("F64", 1, 8)},
        bytes(8),
    ),
]


def test_a_body_that_is_no_profile(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "cloud")
    server.service.refusal_lines = Rate(len(NO_PROFILES), 1.0)
    for data in NO_PROFILES:
        server.put_profile(data).refused(422, "bad_profile")
    assert len(caplog.records) == len(NO_PROFILES)
    assert all(len(record.getMessage().splitlines()) == 1 for record in caplog.records)
    assert server.ask("GET", "/profiles").json == {"profiles": []}


def test_every_beginning_and_any_changed_byte_of_a_profile_is_another_file(
    fresh: Server, make: Any, expect_log: pytest.LogCaptureFixture
) -> None:
    """Truncated under its own hash: refused. Changed under its own hash: refused, or another profile."""
    data = make(room=40).data
    with fresh.connect() as connection:

        def ask(body: bytes) -> Response:
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


def test_a_file_of_another_network_or_another_tensor(server: Server, model: Model) -> None:
    mine = model.fingerprint
    refusal = server.put_profile(gain_profile(bytes(8), POINT, SHAPE).data).refused(409, "fingerprint")
    assert refusal["accepted"]["fingerprint"] == mine.hex()
    server.put_profile(gain_profile(mine, "flattn", SHAPE).data).refused(422, "split_point")
    server.put_profile(gain_profile(mine, "x" * 3_000, SHAPE).data).refused(422, "split_point")
    refusal = server.put_profile(gain_profile(mine, POINT, (511,)).data).refused(422, "shape")
    assert refusal["accepted"] == {"shape": [512]}
    useless = Profile.make({}, fingerprint=mine, split_point=POINT, shapes=[SHAPE], about={})
    server.put_profile(useless.data).refused(422, "bad_profile")


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
        refusal = server.put_profile(profile.data, wrong).refused(422, "bad_profile")
        assert "SHA-256" in refusal["accepted"]["name"]
    for wrong in ("0" * 32, make(3.0).name):
        refusal = server.put_profile(profile.data, wrong).refused(422, "bad_profile")
        assert refusal["accepted"] == {"put": f"/profiles/{name}"}
    assert server.metric("profiles") == 0


def test_a_name_that_is_here_does_not_make_another_body_right(fresh: Server, make: Any) -> None:
    profile = make()
    assert fresh.put_profile(profile.data).status == 201
    fresh.put_profile(profile.data[:-1], profile.name).refused(422, "bad_profile")
    assert fresh.put_profile(profile.data).status == 200


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
        assert server.put_profile(data).refused(413, "too_large")["accepted"] == {"max_bytes": 2000}
    with Server(max_buffered_bytes=2000) as server:
        server.put_profile(data).refused(503, "queue_full")
        until(server.is_empty)
        assert server.put_profile(make().data).status == 201


def test_a_profile_is_neither_compressed_nor_posted(server: Server, make: Any) -> None:
    server.put_profile(make().data, **{"Content-Encoding": "gzip"}).refused(415, "media_type")
    answer = server.ask("POST", f"/profiles/{make().name}", make().data)
    assert answer.refused(405, "http")["accepted"] == ["GET", "HEAD", "PUT"]
    assert server.ask("PUT", "/profiles", make().data).refused(405, "http")["accepted"] == ["GET", "HEAD"]
    for name in ("nothing", "0" * 32, "%ff", "../model"):
        server.ask("GET", f"/profiles/{name}").refused(404, "http")


def test_a_server_that_starts_or_ends_takes_none(make: Any) -> None:
    with Server(start=False) as server:
        server.put_profile(make().data).refused(503, "unavailable")
        assert server.ask("GET", "/profiles").json == {"profiles": []}
    with Server() as server:
        server.stop_service().result(WAIT_S)
        server.put_profile(make().data).refused(503, "unavailable")


def test_a_profile_may_take_longer_to_arrive_than_a_frame(make: Any, framed: Any) -> None:
    profile = make(room=5000)
    with Server(request_timeout_s=0.2) as server, server.connect() as slow, server.connect() as frame:
        slow.send(request("PUT", f"/profiles/{profile.name}", profile.data)[:-10])
        frame.send(request("POST", "/model", framed(profile), FRAME)[:-10])
        assert frame.closed_by_server()
        slow.send(profile.data[-10:])
        assert slow.answer().status == 201
        until(server.is_empty)
