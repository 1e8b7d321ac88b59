"""A session against a real cloud: its frames are answered as those of `POST /model`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from kits.cloud import Gate, Server, until
from kits.session_client import Talk, metric

from shared.network.labels import labels_sha256
from shared.tasks.registry import make_task
from shared.tasks.spec import Wanted
from shared.wire.session.messages import SUBPROTOCOL, Answered, Refused

if TYPE_CHECKING:
    from shared.network.model import Model


def test_a_frame_is_answered_as_by_a_request(server: Server, model: Model, pack: Any) -> None:
    for number in range(4):
        data = pack(np.random.default_rng(number).normal(size=512).astype(np.float32), frame_id=number)
        expected = server.frame(data, "?top=3").json["top"]
        with Talk(server, question="top=3") as talk:
            assert talk.headers["sec-websocket-protocol"] == SUBPROTOCOL
            assert "sec-websocket-extensions" not in talk.headers
            said = talk.ask(data)
        assert isinstance(said, Answered)
        assert not said.is_json
        assert not said.steps_ms
        found = make_task(model, Wanted(3)).unpack(said.body).fields()["top"]
        assert [each["label"] for each in found] == [each["label"] for each in expected]
        for got, wanted in zip(found, expected, strict=True):
            assert got["probability"] == pytest.approx(wanted["probability"], abs=1e-4)


def test_an_answer_without_a_binary_form_is_json(
    server: Server, pack: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.tasks.classify.Classify.pack", lambda *_: None)
    data = pack(frame_id=9)
    expected = server.frame(data).json
    with Talk(server) as talk:
        said = talk.ask(data)
    assert isinstance(said, Answered)
    assert said.is_json
    for key in ("frame_id", "stages_ms", "received"):
        del expected[key]
    assert json.loads(bytes(said.body)) == expected


def test_the_cloud_s_steps_are_told_to_whom_asks(server: Server, pack: Any) -> None:
    with Talk(server) as talk:
        said = talk.ask(pack(), timings=True)
        assert isinstance(said, Answered)
        assert list(said.steps_ms) == ["receive", "decode", "queue", "tail", "top"]
        again = talk.ask(pack())
        assert isinstance(again, Answered)
        assert not again.steps_ms


def test_frames_are_answered_as_soon_as_they_are_ready_in_any_order(server: Server, pack: Any) -> None:
    with Talk(server) as talk:
        with Gate(server) as gate:
            first = talk.frame(pack(frame_id=1), 0)
            until(lambda: bool(gate.batches))
            late = talk.frame(pack(frame_id=2, codec_id=999), 1)  # refused while the other is computed
            refused = talk.read()
            assert isinstance(refused, Refused)
            assert (refused.number, refused.status, refused.reason) == (late, 415, "bad_codec")
            gate.open()
        answered = talk.read()
        assert isinstance(answered, Answered)
        assert answered.number == first


def test_several_streams_at_several_split_points_share_a_session(
    server: Server, model: Model, pack: Any, crossing: Any
) -> None:
    task = make_task(model, Wanted(5))
    with Talk(server) as talk:
        sent = {}
        for stream, name in enumerate(("layer4", "flatten", "layer4", "flatten")):
            tensors, _ = crossing(name, stream + 1)
            data = pack(tensors[0], split_point=name, frame_id=stream)
            sent[talk.frame(data, stream)] = server.frame(data).json["top"]
        for _ in range(len(sent)):
            said = talk.read()
            assert isinstance(said, Answered)
            top = sent.pop(said.number)
            assert task.unpack(said.body).fields()["top"][0]["label"] == top[0]["label"]
    assert sent == {}


def test_a_refusal_leaves_the_session(server: Server, pack: Any) -> None:
    before = metric(server, "frames_total", outcome="refused")
    with Talk(server) as talk:
        for changes, status, reason in (
            ({"split_point": "nowhere"}, 422, "split_point"),
            ({"codec_id": 999}, 415, "bad_codec"),
        ):
            said = talk.ask(pack(**changes))
            assert isinstance(said, Refused)
            assert (said.status, said.reason) == (status, reason)
            assert said.text
        assert isinstance(talk.ask(pack()), Answered)
    until(lambda: metric(server, "frames_total", outcome="refused") == before + 2)


def test_a_late_frame_is_refused(server: Server, pack: Any) -> None:
    with Talk(server) as talk, Gate(server) as gate:
        talk.frame(pack(frame_id=1))
        until(lambda: bool(gate.batches))
        said = talk.ask(pack(frame_id=2, deadline_ms=30))
        assert isinstance(said, Refused)
        assert (said.status, said.reason) == (504, "deadline")
        gate.open()
        assert isinstance(talk.read(), Answered)


def test_frames_are_counted_as_their_client_s(pack: Any) -> None:
    with Server() as server:
        data = pack()
        with Talk(server) as talk:
            assert isinstance(talk.ask(data), Answered)
            assert server.metric("sessions") == 1
        until(lambda: metric(server, "frames_total", outcome="answered") == 1)
        assert metric(server, "hellos_total", result="new") == 1
        assert server.metric("request_duration_seconds_count", endpoint="/session") >= 1
        assert server.metric("client_requests_total", client="-", outcome="answered") >= 1
        assert server.service.recent.rows()[-1][1] == 1
        until(server.is_empty)


def test_the_page_s_endpoint_of_the_same_path_is_as_it_was(server: Server) -> None:
    assert set(server.ask("GET", "/session").json) == {"name", "rights", "form_key"}


def test_the_cloud_says_that_it_takes_sessions(server: Server, model: Model) -> None:
    said = server.ask("GET", "/model").json
    assert said["session_protocols"] == [1]
    assert said["labels_sha256"] == labels_sha256(model.labels)


def test_without_sessions_there_is_no_such_path() -> None:
    with Server(sessions=0) as server:
        assert server.ask("GET", "/model").json["session_protocols"] == []
        with Talk(server, greet=False) as talk:
            assert talk.status == 404


def test_a_profile_that_is_missing_is_sent_by_a_request(fresh: Server, framed: Any, make: Any) -> None:
    profile = make(2.0)
    with Talk(fresh) as talk:
        said = talk.ask(framed(profile))
        assert isinstance(said, Refused)
        assert (said.status, said.reason) == (424, "profile_missing")
        assert said.accepted == {"put": f"/profiles/{profile.name}"}
        assert fresh.put_profile(profile.data).status == 201
        assert isinstance(talk.ask(framed(profile)), Answered)


def test_longer_messages_than_hold_up_the_loop_go_by_requests() -> None:
    with Server() as server, Talk(server) as talk:
        assert talk.welcome
        assert talk.welcome.message_bytes == 16 << 20 < server.service.settings.max_body_bytes
    with Server(max_body_bytes=100_000) as server, Talk(server) as talk:
        assert talk.welcome
        assert talk.welcome.message_bytes == 100_000
