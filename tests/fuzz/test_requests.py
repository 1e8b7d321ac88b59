"""Requests of odd shapes over a real socket: each is answered or closed, none harms another, and nothing of them stays."""

from __future__ import annotations

import json
import re
import socket
from typing import TYPE_CHECKING

import numpy as np
import pytest
from kits.cloud import FRAME, JSON, WAIT_S, Server, chunked, request, until
from kits.codecs import frame_of, with_right_crc
from kits.fuzz.campaign import try_out
from kits.fuzz.mutations import damaged
from kits.inference import HEADER, body, tensor, texts
from kits.numpy_network import network_of, write_bundle
from kits.tokens import Tokens, bearing

from shared.codecs import NAMES
from shared.security.rights import Right
from shared.wire import frame as wire

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator

_ANSWER = re.compile(rb"HTTP/1\.1 (\d{3}) ")
_BACKLOG_BYTES = 1 << 20
_EVERY = 100
MODEL = "/v2/models/residual"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, bytes, str]]:
    """A cloud of the small network, a frame for it, and a token that nobody needs."""
    folder = tmp_path_factory.mktemp("cloud")
    bundle = write_bundle(folder / "bundle")
    tokens = Tokens(folder / "tokens", [Right.FRAMES])
    access = {"token_file": str(tokens.path), "anonymous": "all", "trusted_proxies": "127.0.0.1"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("cloud.networks.network.load_network", lambda *_, **__: network_of(bundle))
        with Server(idle_timeout_s=5.0, serve_bundle=True, **access) as server:
            array = np.linspace(-1, 1, 512, dtype=np.float32)
            frame = frame_of(
                NAMES["float32"],
                array,
                split_point="flatten",
                fingerprint=bundle.model.fingerprint,
                deadline_ms=0,
            )
            yield server, wire.pack(frame), tokens.of[Right.FRAMES]


def seeds(frame: bytes, token: str) -> list[bytes]:
    """Good requests to every endpoint, in each form that a body may have."""
    tensors = json.dumps({"data": [[0.5] * 512], "split_point": "flatten"}).encode()
    numbers = {"name": "flatten", "shape": [1, 512], "datatype": "FP32", "data": [0.5] * 512}
    shown, form = bearing(token), {"Content-Type": "application/x-www-form-urlencoded"}
    session = {"Cookie": f"a=b; splitdnn_session={'k' * 43}", "X-Form-Key": "f" * 43}
    proxied = {
        "X-Forwarded-For": "203.0.113.5, 10.0.0.7:80",
        "Forwarded": 'for="[2001:db8::1]:4711";proto=https, for=203.0.113.5',
        "Origin": "http://cloud",
        "Sec-Fetch-Site": "same-origin",
    }
    in_chunks = {**FRAME, "Transfer-Encoding": "chunked"}
    paths = (
        "/",
        "/model",
        "/profiles",
        "/tail-times",
        "/metrics",
        "/healthz",
        "/readyz",
        "/bundle",
        "/login",
        "/session",
        "/page",
        "/nowhere",
    )
    return [
        request("POST", "/model?top=3&threshold=0.5", frame, FRAME),
        request("POST", "/model", chunked(frame[:100], frame[100:]), in_chunks),
        request("POST", "/model", tensors, JSON),
        request("POST", "/compute", tensors, JSON),
        request("POST", "/model", frame, {**FRAME, "Expect": "100-continue"}),
        request("PUT", f"/profiles/{'0' * 32}", b"profile"),
        request("POST", "/model", frame, FRAME | shown),
        request("POST", "/model", frame, FRAME | proxied),
        request("POST", "/model", frame, FRAME | session),
        request("POST", "/login", f"token={token}".encode(), form | proxied),
        request("POST", "/logout", b"form_key=%2Bf", form | session),
        request("GET", "/session", headers=shown | session),
        *(request("GET", path) for path in paths),
        request("HEAD", "/model"),
        request("GET", f"/bundle/{'00' * 8}/network.bin", headers={"Range": "bytes=3-5", "If-Range": '"a"'}),
        request("GET", "/metrics") + request("POST", "/model", frame, FRAME),
        request("POST", f"{MODEL}/infer", frame, {HEADER: "0"}),
        request("POST", f"{MODEL}/infer", *body(texts(frame, frame), id="7")),
        request("POST", f"{MODEL}/infer", *body(tensor("flatten", np.ones((2, 512), np.float16)))),
        request("POST", f"{MODEL}/infer", json.dumps({"inputs": [numbers]}).encode()),
        *(request("GET", f"{MODEL}{path}") for path in ("", "/ready", f"/versions/{'0' * 16}", "/config")),
        *(request("GET", path) for path in ("/v2", "/v2/health/ready", "/v2/repository/index")),
        request("GET", "/model", headers={f"X-{number}": "y" * 50 for number in range(20)}),
    ]


def exchange(port: int, data: bytes) -> bytes:
    """What comes back until the server closes; it is told that no more is coming."""
    with socket.create_connection(("127.0.0.1", port), WAIT_S) as client:
        answer = bytearray()
        try:
            client.sendall(data)
            client.shutdown(socket.SHUT_WR)
            while piece := client.recv(1 << 16):
                answer += piece
                assert len(answer) < _BACKLOG_BYTES, "more than all that was asked for"
        except (ConnectionResetError, BrokenPipeError):  # closed while more was being sent
            pass
        return bytes(answer)


def test_requests(served, caplog):
    server, frame, token = served
    good = seeds(frame, token)
    expected = server.frame(frame).json
    number = 0

    def make(chance: random.Random) -> bytes:
        if chance.random() < 0.3:  # a request that is whole, of a frame that is not
            body = damaged(chance, frame, [frame])
            return request("POST", "/model", with_right_crc(body) if chance.random() < 0.8 else body, FRAME)
        return damaged(chance, chance.choice(good), good)

    def check(data: bytes) -> object:
        nonlocal number
        answer = exchange(server.port, data)
        statuses = [int(status) for status in _ANSWER.findall(answer)]
        assert not answer or answer.startswith(b"HTTP/1.1 "), answer[:80]
        assert 500 not in statuses, answer
        number += 1
        if number % _EVERY == 0:
            found = server.frame(frame).json
            assert found["top"] == expected["top"], "others are answered as before"
        return statuses or None

    assert try_out("requests", 2_500, make, check, seconds=7) > 0.1
    until(server.is_empty)
    assert server.metric("rejected_total", reason="internal") == 0
    assert not [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
