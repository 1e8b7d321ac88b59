"""What one client asks for that costs much, and what others notice of it: nothing."""

from __future__ import annotations

import contextlib
import json
import struct
import threading
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from kits.cloud import FRAME, WAIT_S, Gate, Server, request, until
from kits.gain import Gained
from kits.tokens import Tokens, bearing

from bench.attack.worst_profile import worst_profile
from cloud.profiles.store import Profiles
from shared.codecs.calibrated.codec import Calibrated
from shared.codecs.calibrated.profile import Profile
from shared.limits import MAX_CLIENT_BUILDS, MAX_CODING_TABLES, MAX_PROFILE_STRINGS_BYTES, MAX_PROFILES
from shared.security.rights import Right

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from shared.network.model import Model

LAYER3 = np.zeros((256, 14, 14), np.float32)


def test_a_client_has_few_profiles_waiting_to_be_built(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def slow(profile: Profile) -> Gained:
        begun.set()
        assert go_on.wait(WAIT_S)
        return Gained(profile)

    monkeypatch.setattr("cloud.service.Profiles", partial(Profiles, slow))
    with Server() as server, contextlib.ExitStack() as stack:
        many = [make(1.0 + number) for number in range(MAX_CLIENT_BUILDS + 1)]
        connections = [stack.enter_context(server.connect()) for _ in many[1:]]
        for profile, connection in zip(many, connections, strict=False):
            connection.send(request("PUT", f"/profiles/{profile.name}", profile.data))
        begun.wait(WAIT_S)
        until(lambda: server.service.profile_turns.waiting() == MAX_CLIENT_BUILDS - 1)
        answer = server.put_profile(many[-1].data)
        assert answer.refused(429, "over_quota")["accepted"] == {"at_once": MAX_CLIENT_BUILDS}
        assert answer.headers["retry-after"] == "1"
        go_on.set()
        assert {connection.answer().status for connection in connections} == {201}
        assert server.put_profile(many[-1].data).status == 201
        assert server.metric("rejected_total", reason="over_quota") == 1
        until(lambda: not len(server.service.profile_builds))


def test_frames_flow_while_a_tail_is_compiled(pack: Any) -> None:
    with Server() as server, server.connect() as patient, server.connect() as late:
        tails = server.service.network.tails
        tails.prepare("flatten")
        tails._fine.pop("layer3.0")
        begun, go_on, prepare = threading.Event(), threading.Event(), tails.prepare

        def slow(split_point: str) -> None:
            begun.set()
            assert go_on.wait(WAIT_S)
            tails._fine["layer3.0"] = tails._fine["layer2.0"]
            prepare(split_point)

        tails.prepare = slow  # type: ignore[method-assign]
        try:
            frame = partial(pack, LAYER3, split_point="layer3.0")
            patient.send(request("POST", "/model", frame(), FRAME))
            assert begun.wait(WAIT_S)
            assert server.frame(pack()).status == 200
            late.send(request("POST", "/model", frame(deadline_ms=500), FRAME))
            assert "compiled" in late.answer().refused(504, "deadline")["error"]
            assert server.frame(pack()).status == 200
        finally:
            go_on.set()
        assert patient.answer().status == 200


def test_a_file_of_millions_of_tables_is_refused_unbuilt(model: Model) -> None:
    """The file that cost 21 s and 1.1 GB to build, and of which 78 bytes then cost 10 s."""
    usual = worst_profile((256, 14, 14), fingerprint=model.fingerprint, split_point="layer3", context_rank=1)
    row = np.full((1_000_000, 2), 32768, np.uint16)
    arrays = dict(usual.arrays) | {
        "magnitudes": row,
        "centroid": np.zeros((256, 5, 3), np.float16),
        "magnitude_kind": np.zeros(256, np.uint8),
    }
    bomb = Profile.make(
        arrays, fingerprint=usual.fingerprint, split_point="layer3", shapes=usual.shapes, about={**usual.about, "levels": "3"}
    )  # fmt: skip
    with Server() as server:
        refusal = server.put_profile(bomb.data).refused(413, "too_large")
        assert refusal["accepted"] == {"max_tables": MAX_CODING_TABLES}
        assert server.metric("profiles") == 0


def test_the_cheapest_frame_of_the_worst_profile_is_decoded(model: Model, pack: Any) -> None:
    worst = worst_profile((256, 14, 14), fingerprint=model.fingerprint, split_point="layer3")
    with Server() as server:
        assert server.put_profile(worst.data).status == 201
        empty = pack(LAYER3, split_point="layer3", codec_id=Calibrated.id, params=worst.digest, payload=b"")
        assert server.frame(empty).status in (200, 422)


def test_the_listing_is_bounded_and_strings_that_would_not_fit_are_refused(server: Server, make: Any) -> None:
    longest = MAX_PROFILE_STRINGS_BYTES - 400
    raw = make(1.0, note="?").data
    size = struct.unpack("<Q", raw[:8])[0]
    header = json.loads(raw[8 : 8 + size])
    header["__metadata__"]["note"] = "\U0001f600" * (longest // 4)  # as escapes it is three times longer
    text = json.dumps(header, ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    server.put_profile(struct.pack("<Q", len(text)) + text + raw[8 + size :]).refused(413, "too_large")
    assert MAX_PROFILES * 2 * MAX_PROFILE_STRINGS_BYTES <= 1 << 18, "bytes of an answer to GET /profiles"


def test_a_token_has_no_more_connections_than_an_address_wherever_they_come_from(
    pack: Any, tmp_path: Path, expect_log: pytest.LogCaptureFixture
) -> None:
    tokens = Tokens(tmp_path / "tokens", ())
    greedy, honest = (tokens.add(name, Right.FRAMES) for name in ("greedy", "honest"))
    limits = {"token_file": str(tokens.path), "client_connections": 3}
    with Server(**limits) as server, Gate(server), contextlib.ExitStack() as stack:
        busy = [stack.enter_context(server.connect(f"127.0.0.{2 + number}")) for number in range(4)]
        for connection in busy[:3]:
            connection.send(request("POST", "/model", pack(), FRAME | bearing(greedy)))
        until(lambda: server.service.lifecycle.frames == 3)
        for method, path, kind in (("POST", "/model", FRAME), ("GET", "/model", {})):
            with server.connect("127.0.0.9") as more:
                answer = more.ask(method, path, pack() if kind else b"", kind | bearing(greedy))
                assert answer.refused(429, "over_quota")["accepted"] == {"connections": 3}
                assert more.closed_by_server()
        assert busy[3].ask("GET", "/model", headers=bearing(honest)).status == 200
        assert server.metric("connections_closed_total", why="refused") == 2
    assert "greedy, has all of its 3 connections busy" in expect_log.text
