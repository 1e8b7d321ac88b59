"""The cloud's HTTP face, spoken to over sockets: every answer, every refusal, every way a client can misbehave."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import logging
import socket
import struct
import threading
import time
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np
import prometheus_client.openmetrics.parser
import prometheus_client.parser
import pytest
import torch
from codec_kit import frame_of, name_of, picture, with_right_crc

from cloud.app import bind, make_server
from cloud.config import CloudSettings
from cloud.lifecycle import State
from cloud.metrics import ENDPOINTS, REJECTIONS, STAGES
from cloud.service import Service
from shared import wire
from shared.answers import top_classes
from shared.codecs import CODECS, NAMES
from shared.errors import all_request_errors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from shared.codecs import Codec
    from shared.models import Model
    from shared.partition import Partition

WAIT_S = 30.0
JSON = {"Content-Type": "application/json"}
FRAME = {"Content-Type": wire.CONTENT_TYPE}


# --- a server in a thread, and clients that block ---------------------------------------------------------------------


class Server:
    """The cloud as `python -m cloud` wires it, in a thread of its own, around a network that is loaded already."""

    def __init__(self, *, start: bool = True, **settings: Any) -> None:
        self._settings = CloudSettings(model="resnet18", weights="random", **settings)
        self._start = start
        self._up: Future[None] = Future()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._main()))

    def __enter__(self) -> Self:
        self._thread.start()
        self._up.result(WAIT_S)
        return self

    def __exit__(self, *_exception: object) -> None:
        self.loop.call_soon_threadsafe(self._down.set)
        self._thread.join(WAIT_S)
        assert not self._thread.is_alive()
        assert (self.service.active, self.service.buffered_bytes) == (0, 0)
        gc.collect()  # a task or future that nobody waited for says so now

    async def _main(self) -> None:
        self.loop = asyncio.get_running_loop()
        self._down = asyncio.Event()
        self.service = Service(self._settings, 0)
        server = make_server(self.service)
        sockets = bind("127.0.0.1", 0)
        server.add_sockets(sockets)
        self.port = sockets[0].getsockname()[1]
        try:
            if self._start:
                await self.service.start()
            self._up.set_result(None)
        except BaseException as error:
            self._up.set_exception(error)
            raise
        await self._down.wait()
        if self.service.lifecycle.state is not State.STOPPED:
            await self.service.stop()
        server.stop()
        await server.close_all_connections()

    def stop_service(self) -> Future[None]:
        return asyncio.run_coroutine_threadsafe(self.service.stop(), self.loop)

    def metric(self, name: str, **labels: str) -> float:
        return self.service.metrics.registry.get_sample_value(f"splitdnn_cloud_{name}", labels) or 0.0

    def connect(self) -> Connection:
        return Connection(self.port)

    def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> Answer:
        """One request on a connection of its own."""
        with self.connect() as connection:
            return connection.ask(method, path, body, headers)

    def post(self, body: bytes | dict, kind: dict[str, str] = JSON, path: str = "/model") -> Answer:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        with self.connect() as connection:
            return connection.ask("POST", path, data, kind)

    def frame(self, data: bytes, query: str = "") -> Answer:
        return self.post(data, FRAME, "/model" + query)

    def is_empty(self) -> bool:
        service = self.service
        return (service.active, service.buffered_bytes, self.metric("buffered_bytes")) == (0, 0, 0)


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    def refused(self, status: int, reason: str) -> Any:
        """The body of a refusal of this kind."""
        assert self.headers["content-type"] == "application/json; charset=UTF-8"
        body = self.json
        assert body.keys() == {"error", "reason", "accepted"}
        assert (self.status, body["reason"]) == (status, reason), body
        assert ("retry-after" in self.headers) == (status == 503)
        assert 0 < len(body["error"]) < 500
        return body


class Connection:
    """A client's socket. Nothing is read that was not asked for, and nothing is sent that was not written."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), WAIT_S)
        self._file = self.socket.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def close(self) -> None:
        self._file.close()
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def ask(self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None) -> Answer:
        self.send(request(method, path, body, headers))
        return self.answer()

    def answer(self) -> Answer:
        status = int(self._file.readline().split()[1])
        headers = {}
        while line := self._file.readline().strip():
            name, _, value = line.decode().partition(":")
            headers[name.lower()] = value.strip()
        return Answer(status, headers, self._file.read(int(headers.get("content-length", "0"))))

    def closed_by_server(self) -> bool:
        """Whether the server ended the connection, in order: a reset raises ConnectionResetError."""
        return self._file.read() == b""


def request(method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None) -> bytes:
    """A request as bytes; its length is declared unless the headers say how the body comes."""
    lines = {"Host": "cloud"} | (headers or {})
    if "Transfer-Encoding" not in lines:
        lines.setdefault("Content-Length", str(len(body)))
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode() + body


def chunked(*chunks: bytes) -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in (*chunks, b""))


def until(condition: Callable[[], bool]) -> None:
    """Wait for what happens in the server's thread."""
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline, "did not happen"
        time.sleep(0.002)


@pytest.fixture(autouse=True)
def _quiet(request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """A warning or an error in the log fails the test, unless it asked for `expect_log`."""
    yield
    if "expect_log" not in request.fixturenames:
        assert not [r.getMessage() for r in caplog.get_records("call") if r.levelno >= logging.WARNING]


@pytest.fixture
def expect_log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    return caplog


@pytest.fixture(scope="module", autouse=True)
def _loaded(resnet18: Model) -> Iterator[None]:
    """Every server of this file takes the network that is there already."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("cloud.service.load_model", lambda *_arguments, **_options: resnet18)
        yield


@pytest.fixture(scope="module")
def server(_loaded: None) -> Iterator[Server]:
    """For tests that leave it as it was."""
    with Server() as running:
        yield running


class Gate:
    """Holds a server's tail until it is opened."""

    def __init__(self, server: Server) -> None:
        self.batches: list[tuple[str, int]] = []
        self._run = server.service.tails.run
        self._open = threading.Event()
        server.service.tails.run = self._hold  # type: ignore[method-assign]

    def _hold(self, split_point: str, tensors: np.ndarray) -> np.ndarray:
        self.batches.append((split_point, len(tensors)))
        assert self._open.wait(WAIT_S)
        return self._run(split_point, tensors)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.open()

    def open(self) -> None:
        self._open.set()

    def entered(self) -> None:
        until(lambda: bool(self.batches))


@pytest.fixture(scope="module")
def crossing(resnet18: Model, partition: Partition) -> Callable[..., tuple[np.ndarray, np.ndarray]]:
    """What crosses at a split point for `count` pictures, and the logits of the unsplit network."""

    def make(name: str, count: int = 1) -> tuple[np.ndarray, np.ndarray]:
        random = np.random.default_rng(count)
        pictures = torch.from_numpy(random.normal(size=(count, 3, 224, 224)).astype(np.float32))
        with torch.inference_mode():
            tensors = partition.head(partition.point(name))(pictures).numpy()
            return tensors, resnet18.network(pictures).numpy()

    return make


@pytest.fixture(scope="module")
def pack(resnet18: Model) -> Callable[..., bytes]:
    """A frame of this network, at `flatten` unless told otherwise."""

    def make(array: np.ndarray | None = None, codec: str = "float32", **changes: Any) -> bytes:
        array = np.linspace(-1, 1, 512, dtype=np.float32) if array is None else array
        fields = {"split_point": "flatten", "fingerprint": resnet18.fingerprint, "deadline_ms": 0} | changes
        return wire.pack(frame_of(NAMES[codec], array, **fields))

    return make


# --- the small endpoints ----------------------------------------------------------------------------------------------


def test_hello_says_where_to_go_on(server: Server) -> None:
    answer = server.ask("GET", "/")
    assert (answer.status, answer.headers["content-type"]) == (200, "text/plain; charset=utf-8")
    assert b"GET /model" in answer.body
    assert answer.headers["server"] == "splitdnn"


@pytest.mark.parametrize(
    ("number", "result"),
    [("7", 49), ("-1.5", 2.25), ("0", 0), ("4503599627370497", 4503599627370497**2), ("-2e10", 4e20)],
)
def test_compute_squares(server: Server, number: str, result: float) -> None:
    answer = server.post(b'{"number": %s}' % number.encode(), path="/compute")
    assert (answer.status, answer.json) == (200, {"result": result})


@pytest.mark.parametrize(
    ("body", "status", "reason"),
    [
        (b"", 400, "bad_body"),
        (b"{", 400, "bad_body"),
        (b"7", 400, "bad_body"),
        (b"{}", 400, "bad_body"),
        (b'{"number": "7"}', 400, "bad_body"),
        (b'{"number": true}', 400, "bad_body"),
        (b'{"number": null}', 400, "bad_body"),
        (b'{"number": [7]}', 400, "bad_body"),
        (b"[" * 4000, 400, "bad_body"),
        (b'{"number": NaN}', 422, "bad_content"),
        (b'{"number": Infinity}', 422, "bad_content"),
        (b'{"number": 1e200}', 422, "bad_content"),
        (b'{"number": 1e999}', 422, "bad_content"),
        (b'{"number": 1%s}' % (b"0" * 400), 422, "bad_content"),
        (b'{"number": 7}' + b" " * 4096, 413, "too_large"),
    ],
)
def test_compute_refuses_what_has_no_finite_square(
    server: Server, body: bytes, status: int, reason: str
) -> None:
    server.post(body, path="/compute").refused(status, reason)


def test_model_says_what_runs_here(server: Server, resnet18: Model, partition: Partition) -> None:
    answer = server.ask("GET", "/model")
    said = answer.json
    assert (answer.status, said["model"], said["weights"]) == (200, "resnet18", "random:0")
    assert bytes.fromhex(said["fingerprint"]) == resnet18.fingerprint
    assert said["classes"] == 1000
    assert said["default_split_point"] == partition.default().name
    assert said["split_points"]["layer3"] == [256, 14, 14]
    assert said["codecs"] == {codec.name: codec.id for codec in CODECS.values()}
    assert said["wire_versions"] == [1]
    assert said["preprocessing"]["crop"] == 224
    assert said["limits"] == {
        "max_body_bytes": wire.MAX_FRAME_BYTES,
        "max_elements": wire.MAX_ELEMENTS,
        "queue_capacity": 64,
        "max_batch": 8,
    }


def test_a_body_that_a_get_brings_is_ignored(server: Server) -> None:
    with server.connect() as connection:
        assert connection.ask("GET", "/model", b"x" * 5000).status == 200
        assert connection.ask("GET", "/healthz", b"x" * 5000).json == {"state": "ready"}
    assert server.is_empty()


def test_an_unknown_path_is_told_the_known_ones(server: Server) -> None:
    for path in ("/nothing", "/model/", "//", "/%ff", "/nothing?%zz"):
        assert "/readyz" in server.ask("GET", path).refused(404, "http")["error"]


@pytest.mark.parametrize(
    ("method", "path", "accepted"),
    [
        ("PUT", "/model", ["GET", "POST"]),
        ("GET", "/compute", ["POST"]),
        ("POST", "/healthz", ["GET"]),
        ("DELETE", "/metrics", ["GET"]),
        ("BREW", "/model", ["GET", "POST"]),
    ],
)
def test_an_unknown_method_is_told_the_known_ones(
    server: Server, method: str, path: str, accepted: list[str]
) -> None:
    answer = server.ask(method, path, b"some body")
    assert answer.refused(405, "http")["accepted"] == accepted
    assert answer.headers["allow"] == ", ".join(accepted)


# --- POST /model: the JSON contract -----------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("name", ["input", "layer2", "layer4.0.add", "avgpool", "output"])
def test_the_original_contract_gives_what_the_unsplit_network_gives(
    server: Server, crossing: Any, name: str, count: int
) -> None:
    tensors, expected = crossing(name, count)
    answer = server.post({"data": tensors.tolist(), "count": 41 + count, "split_point": name})
    assert (answer.status, answer.json["count"]) == (200, 41 + count)
    np.testing.assert_allclose(answer.json["result"], expected, rtol=1e-4, atol=1e-4)


def test_without_a_split_point_json_is_of_the_default_one(server: Server, crossing: Any) -> None:
    tensors, expected = crossing("layer3")
    for kind in (JSON, {}, {"Content-Type": "application/x-www-form-urlencoded"}):
        answer = server.post({"data": tensors.tolist()}, kind)
        assert (answer.status, answer.json["count"]) == (200, None)
        np.testing.assert_allclose(answer.json["result"], expected, rtol=1e-4, atol=1e-4)


FITS = json.dumps([[0.5] * 512])


def at_flatten(data: str, more: str = "") -> str:
    return '{"data": ' + data + ', "split_point": "flatten"' + more + "}"


@pytest.mark.parametrize(
    ("body", "status", "reason"),
    [
        ("", 400, "bad_body"),
        ("{'data': 1}", 400, "bad_body"),
        ("\ud800", 400, "bad_body"),
        ("[]", 400, "bad_body"),
        ("{}", 400, "bad_body"),
        ("[" * 100_000, 400, "bad_body"),
        ('{"data":' + "[" * 100_000, 400, "bad_body"),
        ('{"data": [[1, 2], [3]]}', 422, "shape"),
        ('{"data": "picture"}', 422, "shape"),
        ('{"data": [["1", "2"]]}', 422, "shape"),
        ('{"data": {"a": 1}}', 422, "shape"),
        ('{"data": []}', 422, "shape"),
        ('{"data": ' + FITS + "}", 422, "shape"),
        (at_flatten(FITS.replace("0.5", "NaN", 1)), 422, "bad_content"),
        (at_flatten(FITS.replace("0.5", "1e40", 1)), 422, "bad_content"),
        (at_flatten(FITS.replace("0.5", "9" * 400, 1)), 422, "shape"),
        (at_flatten(FITS.replace("0.5", "9" * 5000, 1)), 400, "bad_body"),
        ('{"data": ' + FITS + ', "split_point": 5}', 400, "bad_body"),
        (at_flatten(FITS).replace('"flatten"', "[" * 900 + "]" * 900), 400, "bad_body"),
        (at_flatten(FITS, ', "count": NaN'), 400, "bad_body"),
        (at_flatten(FITS, ', "count": ' + "[" * 900 + "]" * 900), 400, "bad_body"),
        (at_flatten(json.dumps([[0] * 512] * 65)), 413, "too_large"),
    ],
    ids=lambda value: str(value)[:40],
)  # fmt: skip
def test_json_that_no_tail_can_take_is_refused_by_name(
    server: Server, body: str, status: int, reason: str
) -> None:
    server.post(body.encode("utf-8", "surrogatepass")).refused(status, reason)


def test_an_unknown_split_point_is_told_the_nearest(server: Server, partition: Partition, pack: Any) -> None:
    for answer in (
        server.post({"data": [], "split_point": "layer33"}),
        server.frame(pack(split_point="layer33")),
    ):
        refusal = answer.refused(422, "split_point")
        assert "did you mean layer3" in refusal["error"]
        assert refusal["accepted"] == list(partition.points)


# --- POST /model: frames ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("codec", CODECS.values(), ids=name_of)
def test_a_frame_of_every_codec_is_answered(
    server: Server, resnet18: Model, partition: Partition, pack: Any, codec: Codec
) -> None:
    if codec.carries == "picture":
        point, array = "input", picture(224, 224)
    else:
        point, array = "layer4", np.random.default_rng(2).normal(size=(512, 7, 7)).astype(np.float32)
    data = pack(array, codec.name, split_point=point, frame_id=2**64 - 1)
    decoded = wire.decode(wire.unpack(data))
    tensor = resnet18.preprocessing.normalise(decoded) if codec.carries == "picture" else decoded
    with torch.inference_mode():
        logits = partition.tail(partition.point(point))(torch.tensor(tensor[None])).numpy()[0]
    before = server.metric("payload_bytes_count", codec=codec.name)
    answer = server.frame(data, "?top=3").json
    assert (answer["frame_id"], answer["split_point"]) == (2**64 - 1, point)
    expected = top_classes(logits, resnet18.labels, 3)
    assert [entry["class_id"] for entry in answer["top"]] == [entry["class_id"] for entry in expected]
    assert [entry["label"] for entry in answer["top"]] == [entry["label"] for entry in expected]
    for got, wanted in zip(answer["top"], expected, strict=True):
        assert got["probability"] == pytest.approx(wanted["probability"], abs=1e-4)
    assert list(answer["stages_ms"]) == ["receive", "decode", "queue", "tail", "top"]
    assert all(milliseconds >= 0 for milliseconds in answer["stages_ms"].values())
    assert server.metric("payload_bytes_count", codec=codec.name) == before + 1


def test_top_is_how_many_classes_come_back(server: Server, pack: Any) -> None:
    assert len(server.frame(pack()).json["top"]) == 5
    for count in (1, 7, 1000):
        top = server.frame(pack(), f"?top={count}").json["top"]
        assert len(top) == count
        assert top == sorted(top, key=lambda entry: -entry["probability"])


@pytest.mark.parametrize("top", ["0", "1001", "-1", "five", "", "1.0", "1e2", "%D9%A3", "%C2%B2", "9" * 5000])
def test_a_top_that_is_no_number_of_classes_is_refused(server: Server, pack: Any, top: str) -> None:
    assert server.frame(pack(), f"?top={top}").refused(400, "bad_body")["accepted"] == {"top": "1 to 1000"}


def test_a_query_that_is_no_text_is_refused_legibly(server: Server, pack: Any) -> None:
    error = server.frame(pack(), "?top=%ff").refused(400, "http")["error"]
    assert "top" in error
    assert "%" not in error


def test_a_foreign_fingerprint_is_a_conflict(server: Server, resnet18: Model, pack: Any) -> None:
    refusal = server.frame(pack(fingerprint=bytes(8))).refused(409, "fingerprint")
    assert refusal["accepted"]["fingerprint"] == resnet18.fingerprint.hex()


def test_frames_that_cannot_be_used_are_refused_by_name(server: Server, pack: Any) -> None:
    good = pack()
    nan = struct.pack("<f", float("nan"))
    cases: list[tuple[bytes, int, str]] = [
        (b"", 400, "bad_frame"),
        (b"GIF89a" + bytes(100), 400, "bad_frame"),
        (good[:-1] + bytes([good[-1] ^ 1]), 400, "bad_frame"),
        (good + b"\0", 400, "bad_frame"),
        (with_right_crc(good[:4] + b"\x02" + good[5:]), 400, "bad_frame"),
        (with_right_crc(good[:48] + b"\xff\xff\xff\xff" + good[52:]), 413, "too_large"),
        (with_right_crc(good[:-4] + nan), 422, "bad_content"),
        (pack(codec_id=999), 415, "bad_codec"),
        (pack(picture(224, 224), "jpeg"), 415, "bad_codec"),
        (pack(np.zeros(511, np.float32)), 422, "shape"),
        (pack(picture(224, 225), "raw", split_point="input"), 422, "shape"),
        (pack(payload=b"no jpeg", shape=(224, 224, 3), codec_id=66, split_point="input"), 422, "bad_content"),
        (pack(codec_id=2), 422, "bad_content"),
        *((good[:length], 400, "bad_frame") for length in (1, 55, 56, 60, len(good) - 1)),
    ]
    with server.connect() as connection:  # one for all of them: a refusal ends no connection
        for data, status, reason in cases:
            connection.ask("POST", "/model", data, FRAME).refused(status, reason)
        assert connection.ask("POST", "/model", good, FRAME).status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "text/html"},
        {"Content-Type": "multipart/form-data; boundary=x"},
        {"Content-Type": "application/vnd.splitdnn.frames"},
        JSON | {"Content-Encoding": "gzip"},
        FRAME | {"Content-Encoding": "zstd"},
        {"Content-Type": "text/plain", "Content-Encoding": "deflate"},
    ],
    ids=str,
)
def test_what_is_not_spoken_here_is_refused_with_what_is(server: Server, pack: Any, headers: dict) -> None:
    with server.connect() as connection:
        answer = connection.ask("POST", "/model", pack(), headers)
        assert answer.refused(415, "media_type")["accepted"]
        assert connection.ask("GET", "/healthz").status == 200


def test_header_values_are_read_as_http_says(server: Server, pack: Any) -> None:
    kind = {"Content-Type": f"{wire.CONTENT_TYPE.upper()} ; v=1", "Content-Encoding": "Identity"}
    assert server.post(pack(), kind).status == 200


def test_a_tensor_too_large_to_answer_fails_its_sender_only(server: Server, pack: Any) -> None:
    huge = pack(np.full((512, 7, 7), 3e38, np.float32), split_point="layer4")
    good = pack(np.ones((512, 7, 7), np.float32), split_point="layer4")
    alone = server.frame(good).json["top"]
    with Server(batch_wait_ms=0) as busy, Gate(busy) as gate, contextlib.ExitStack() as stack:
        first, *others = (stack.enter_context(busy.connect()) for _ in range(4))
        first.send(request("POST", "/model", good, FRAME))
        gate.entered()
        for connection, data in zip(others, (good, huge, good), strict=True):
            connection.send(request("POST", "/model", data, FRAME))
        until(lambda: busy.metric("queue_depth") == 3)
        gate.open()
        others[1].answer().refused(422, "bad_content")
        for connection in (first, others[0], others[2]):
            top = connection.answer().json["top"]
            assert [entry["class_id"] for entry in top] == [entry["class_id"] for entry in alone]
        assert gate.batches == [("layer4", 1), ("layer4", 3)]


# --- connections ------------------------------------------------------------------------------------------------------


def test_requests_that_wait_on_one_connection_are_answered_in_order_the_bad_one_too(
    server: Server, pack: Any
) -> None:
    with server.connect() as connection:
        requests = [request("POST", "/model", pack(frame_id=number), FRAME) for number in range(12)]
        requests[4] = request("POST", "/model", b"no frame", FRAME)
        requests[7] = request("POST", "/model", pack(), {"Content-Type": "text/html"})
        requests[9] = request(
            "POST", "/model", chunked(pack(frame_id=9)), FRAME | {"Transfer-Encoding": "chunked"}
        )
        connection.send(b"".join(requests))
        answers = [connection.answer() for _ in requests]
    answers[4].refused(400, "bad_frame")
    answers[7].refused(415, "media_type")
    for number in (0, 1, 2, 3, 5, 6, 8, 9, 10, 11):
        assert (answers[number].status, answers[number].json["frame_id"]) == (200, number)


def test_a_declared_body_above_the_limit_is_refused_and_its_sender_gets_to_read_that(pack: Any) -> None:
    with Server(max_body_bytes=100_000) as server, server.connect() as other:
        assert other.ask("POST", "/model", pack(), FRAME).status == 200
        with server.connect() as connection:
            answer = connection.ask("POST", "/model", bytes(399_999), FRAME)
            assert answer.refused(413, "too_large")["accepted"] == {"max_bytes": 100_000}
            assert answer.headers["connection"] == "close"
            assert connection.closed_by_server()
        assert other.ask("POST", "/model", pack(), FRAME).status == 200
        until(server.is_empty)


def test_a_chunked_body_above_the_limit_is_refused_as_soon_as_it_is(pack: Any) -> None:
    with Server(max_body_bytes=100_000) as server, server.connect() as other:
        assert other.ask("POST", "/model", pack(), FRAME).status == 200
        with server.connect() as connection:
            head = request("POST", "/model", b"", FRAME | {"Transfer-Encoding": "chunked"})
            connection.send(head + chunked(bytes(60_000), bytes(60_000))[:-5])
            answer = connection.answer()
            assert answer.refused(413, "too_large")["accepted"] == {"max_bytes": 100_000}
            assert answer.headers["connection"] == "close"
            connection.send(chunked(bytes(60_000)))
            assert connection.closed_by_server()
        assert other.ask("POST", "/model", pack(), FRAME).status == 200
        until(server.is_empty)


@pytest.mark.parametrize("declared", ["400001", "1000000000000", "9" * 40])
def test_a_body_far_above_the_limit_is_not_waited_for(declared: str) -> None:
    with Server(max_body_bytes=100_000) as server, server.connect() as connection:
        connection.send(request("POST", "/model", b"", FRAME | {"Content-Length": declared}))
        connection.answer().refused(413, "too_large")
        assert connection.closed_by_server()
        assert server.metric("abandoned_total") == 0


def test_a_chunked_body_without_an_end_is_cut_off() -> None:
    with Server(max_body_bytes=100_000) as server, server.connect() as connection:
        connection.send(request("POST", "/model", b"", FRAME | {"Transfer-Encoding": "chunked"}))
        chunk = chunked(bytes(50_000))[:-5]
        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            for _ in range(10_000):  # half a gigabyte
                connection.send(chunk)
                assert server.service.buffered_bytes <= 100_000
        until(server.is_empty)
        assert server.metric("rejected_total", reason="too_large") == 1
        assert server.metric("abandoned_total") == 0


@pytest.mark.parametrize("body", [bytes(3_000_000), b""], ids=["large", "empty"])
def test_a_refusal_at_the_door_reaches_a_client_that_is_still_sending(body: bytes) -> None:
    with Server(start=False) as server, server.connect() as connection:
        for _ in range(5):
            connection.ask("POST", "/model", body, FRAME).refused(503, "unavailable")
        assert connection.ask("GET", "/healthz").json == {"state": "starting"}
        assert server.metric("requests_total", endpoint="/model", code="503") == 5
        assert server.metric("abandoned_total") == 0


def test_a_refusal_does_not_wait_for_the_body() -> None:
    with Server(start=False) as server:
        with server.connect() as connection:
            connection.send(request("POST", "/model", b"", FRAME | {"Content-Length": "1000"}))
            connection.answer().refused(503, "unavailable")
            connection.send(bytes(1000))
            assert connection.ask("GET", "/healthz").status == 200
            connection.send(request("POST", "/model", b"", FRAME | {"Content-Length": "1000"}))
            connection.answer().refused(503, "unavailable")
        until(lambda: server.metric("requests_total", endpoint="/model", code="503") == 2)
        assert server.metric("abandoned_total") == 0


def test_who_asks_before_sending_the_body_is_told(server: Server, pack: Any) -> None:
    data = pack()
    asking = {"Expect": "100-continue", "Content-Length": str(len(data))}
    with server.connect() as connection:
        connection.send(request("POST", "/model", b"", FRAME | asking))
        assert connection.answer().status == 100
        connection.send(data)
        assert connection.answer().status == 200
    with server.connect() as connection:
        connection.send(request("POST", "/model", b"", {"Content-Type": "text/html"} | asking))
        answer = connection.answer()
        answer.refused(415, "media_type")
        assert answer.headers["connection"] == "close"
        assert connection.closed_by_server()


def test_a_client_that_is_too_slow_is_cut_off(pack: Any) -> None:
    with Server(idle_timeout_s=0.25) as server:
        for beginning in (b"", b"POST /mod", b"POST /model HTTP/1.1\r\nContent-Length: 10\r\n"):
            with server.connect() as connection:
                connection.send(beginning)
                assert connection.closed_by_server()
        assert server.frame(pack()).status == 200
    with Server(request_timeout_s=0.05) as server:
        for headers, body in (
            (FRAME | {"Content-Length": "10"}, b"123"),
            (FRAME | {"Transfer-Encoding": "chunked"}, b"3\r\n123\r\n"),
        ):
            with server.connect() as connection:
                connection.send(request("POST", "/model", body, headers))
                assert connection.closed_by_server()
        until(server.is_empty)
        assert server.metric("abandoned_total") == 2
        assert server.ask("GET", "/").status == 200


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(1, 40)) + b"\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET\r\n\r\n",
        b"POST /model HTTP/1.1\r\nHost: a\r\nContent-Length: -5\r\n\r\n",
        b"POST /model HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST /model HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
        b"POST /model HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 70_000 + b"\r\n\r\n",
    ],
    ids=lambda garbage: repr(garbage)[-24:],
)
def test_what_is_not_http_ends_its_connection_only(server: Server, garbage: bytes) -> None:
    with server.connect() as connection, contextlib.suppress(ConnectionError):
        connection.send(garbage)
        assert connection._file.read()[:12] in (b"", b"HTTP/1.1 400")
    assert server.ask("GET", "/").status == 200
    until(server.is_empty)


# --- clients that go away ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers", [{"Content-Length": "1000"}, {"Transfer-Encoding": "chunked"}], ids=["declared", "chunked"]
)
def test_a_client_that_goes_in_the_middle_of_its_body_leaves_nothing_behind(headers: dict) -> None:
    with Server() as server:
        connection = server.connect()
        connection.send(request("POST", "/model", b"5\r\n12345\r\n", FRAME | headers))
        until(lambda: server.service.active == 1 and server.service.buffered_bytes > 0)
        # What is there counts, not what was declared: declaring much must not keep others out.
        assert server.service.buffered_bytes == (10 if "Content-Length" in headers else 5)
        connection.close()
        until(server.is_empty)
        assert server.metric("abandoned_total") == 1
        assert (
            sum(server.metric("requests_total", endpoint="/model", code=code) for code in ("200", "400")) == 0
        )


def test_a_client_that_goes_before_its_answer_leaves_nothing_behind(pack: Any) -> None:
    with Server(max_batch=1) as server, Gate(server) as gate:
        running, waiting, staying = (server.connect() for _ in range(3))
        running.send(request("POST", "/model", pack(), FRAME))
        gate.entered()
        waiting.send(request("POST", "/model", pack(), FRAME))
        until(lambda: server.metric("queue_depth") == 1)
        running.close()
        waiting.close()
        until(server.is_empty)
        assert server.metric("queue_depth") == 0
        with staying:
            staying.send(request("POST", "/model", pack(), FRAME))
            until(lambda: server.metric("queue_depth") == 1)
            gate.open()
            assert staying.answer().status == 200
        assert gate.batches == [("flatten", 1)] * 2
        assert server.metric("abandoned_total") == 2
        # Nobody was answered but the one who stayed: an abandoned request is no success.
        until(lambda: server.metric("request_duration_seconds_count", endpoint="/model") > 0)
        assert server.metric("request_duration_seconds_count", endpoint="/model") == 1
        assert server.metric("requests_total", endpoint="/model", code="200") == 1


def test_a_body_whose_client_has_gone_is_not_kept_for_its_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """The threads that decode are busy; those who wait for one hold a body, and must let go of it with their client."""
    busy, handlers = threading.Event(), []

    def decode(handler: Any) -> Any:
        handlers.append(handler)
        assert busy.wait(WAIT_S)
        raise AssertionError("nobody waits for this")

    monkeypatch.setattr("cloud.handlers.ModelHandler._decode", decode)
    with Server() as server:
        bodies = [server.connect() for _ in range(3)]
        for connection in bodies:
            connection.send(request("POST", "/model", bytes(1000), FRAME))
        until(lambda: len(handlers) == 2 and server.service.buffered_bytes == 3000)
        assert [len(handler.body) for handler in handlers] == [1000, 1000]
        for connection in bodies:
            connection.close()
        until(server.is_empty)
        assert [len(handler.body) for handler in handlers] == [0, 0]
        busy.set()
    assert len(handlers) == 2


# --- limits of time and room ------------------------------------------------------------------------------------------


def test_bodies_above_the_common_budget_are_refused_until_there_is_room(pack: Any) -> None:
    data = pack()
    with Server(max_buffered_bytes=10_000) as server:
        holder = server.connect()
        holder.send(request("POST", "/model", bytes(9000), FRAME | {"Content-Length": "9001"}))
        until(lambda: server.service.buffered_bytes == 9000)
        with server.connect() as connection:
            answer = connection.ask("POST", "/model", data, FRAME)
            answer.refused(503, "queue_full")
            assert answer.headers["retry-after"] == "1"
            connection.ask("POST", "/model", chunked(data), FRAME | {"Transfer-Encoding": "chunked"}).refused(
                503, "queue_full"
            )
            assert server.service.buffered_bytes == 9000
            holder.close()
            until(server.is_empty)
            assert connection.ask("POST", "/model", data, FRAME).status == 200
            chunky = connection.ask(
                "POST", "/model", chunked(data[:700], data[700:]), FRAME | {"Transfer-Encoding": "chunked"}
            )
            assert chunky.status == 200


def test_a_full_queue_refuses_at_the_door(pack: Any) -> None:
    with Server(queue_capacity=2, max_batch=1) as server, Gate(server) as gate:
        with contextlib.ExitStack() as stack:
            connections = [stack.enter_context(server.connect()) for _ in range(3)]
            connections[0].send(request("POST", "/model", pack(frame_id=0), FRAME))
            gate.entered()
            for number in (1, 2):
                connections[number].send(request("POST", "/model", pack(frame_id=number), FRAME))
                until(lambda number=number: server.metric("queue_depth") == number)
            answer = server.frame(pack())
            assert "2 of 2" in answer.refused(503, "queue_full")["error"]
            assert answer.headers["retry-after"] == "1"
            server.post({"data": [[0.5] * 512], "split_point": "flatten"}).refused(503, "queue_full")
            gate.open()
            assert [connection.answer().json["frame_id"] for connection in connections] == [0, 1, 2]
        assert server.metric("queue_depth") == 0
        assert server.metric("queue_capacity") == 2


def test_an_answer_that_would_be_late_is_a_refusal(pack: Any) -> None:
    with Server(max_batch=1) as server, Gate(server) as gate, server.connect() as connection:
        for _ in range(2):  # in the tail, then in the queue
            answer = connection.ask("POST", "/model", pack(deadline_ms=20), FRAME)
            assert "ms that were left" in answer.refused(504, "deadline")["error"]
        assert server.metric("queue_depth") == 0
        gate.open()
        assert connection.ask("POST", "/model", pack(deadline_ms=20_000), FRAME).status == 200


def test_a_request_without_a_deadline_has_the_servers(pack: Any) -> None:
    with Server(request_timeout_s=0.5) as server, Gate(server):
        server.frame(pack(deadline_ms=0)).refused(504, "deadline")
        server.post({"data": [[0.5] * 512], "split_point": "flatten"}).refused(504, "deadline")
        until(server.is_empty)


def test_the_wall_clock_may_be_set(monkeypatch: pytest.MonkeyPatch, pack: Any) -> None:
    """Tornado times a request by the wall clock; a jump of it must not cost the request its deadline."""
    data, clock = pack(deadline_ms=20_000), time.time
    with Server() as server, server.connect() as connection:
        connection.send(request("POST", "/model", data, FRAME)[:-10])
        until(lambda: server.service.active == 1)
        with monkeypatch.context() as patch:
            patch.setattr(time, "time", lambda: clock() + 3600.0)
            connection.send(data[-10:])
            answer = connection.answer()
        assert answer.status == 200
        assert answer.json["stages_ms"]["receive"] < 3_600_000
        until(lambda: server.metric("request_duration_seconds_count", endpoint="/model") == 1)
        assert server.metric("request_duration_seconds_sum", endpoint="/model") < 3600


# --- beginning and end ------------------------------------------------------------------------------------------------


def test_a_starting_server_says_so(pack: Any) -> None:
    with Server(start=False) as server:
        server.frame(pack()).refused(503, "unavailable")
        server.ask("GET", "/model").refused(503, "unavailable")
        assert (server.ask("GET", "/readyz").status, server.ask("GET", "/readyz").json) == (
            503,
            {"state": "starting"},
        )
        assert (server.ask("GET", "/healthz").status, server.ask("GET", "/healthz").json) == (
            200,
            {"state": "starting"},
        )
        assert server.post(b'{"number": 3}', path="/compute").json == {"result": 9}
        assert server.metric("ready") == 0
        asyncio.run_coroutine_threadsafe(server.service.start(), server.loop).result(WAIT_S)
        assert (server.ask("GET", "/readyz").status, server.metric("ready")) == (200, 1)
        assert server.frame(pack()).status == 200


def test_a_draining_server_refuses_the_new_and_finishes_the_old(pack: Any) -> None:
    with Server() as server, Gate(server) as gate, server.connect() as old, server.connect() as half:
        old.send(request("POST", "/model", pack(frame_id=5), FRAME))
        data = pack(frame_id=6)
        half.send(request("POST", "/model", data, FRAME)[:-100])
        gate.entered()
        until(lambda: server.service.active == 2)
        stopped = server.stop_service()
        until(lambda: server.service.lifecycle.state is State.DRAINING)
        refusal = server.frame(pack()).refused(503, "unavailable")
        assert "draining" in refusal["error"]
        assert (server.ask("GET", "/readyz").status, server.ask("GET", "/healthz").status) == (503, 200)
        assert server.metric("ready") == 0
        assert not stopped.done()
        half.send(data[-100:])
        gate.open()
        assert old.answer().json["frame_id"] == 5
        assert half.answer().json["frame_id"] == 6
        stopped.result(WAIT_S)
        assert server.service.lifecycle.state is State.STOPPED
        server.frame(pack()).refused(503, "unavailable")


def test_the_drain_has_an_end(expect_log: pytest.LogCaptureFixture, pack: Any) -> None:
    with Server(drain_s=0) as server, Gate(server) as gate:
        connection = server.connect()
        connection.send(request("POST", "/model", pack(), FRAME))
        gate.entered()
        server.stop_service().result(WAIT_S)
        messages = [record.getMessage() for record in expect_log.records if record.levelno >= logging.WARNING]
        assert messages == ["1 requests were not finished within 0 s"]
        connection.close()
        until(server.is_empty)


@pytest.mark.usefixtures("expect_log")
def test_a_request_that_the_end_overtakes_before_its_decoding_is_no_success(
    monkeypatch: pytest.MonkeyPatch, pack: Any
) -> None:
    entered, go_on = threading.Semaphore(0), threading.Event()

    def decode(_handler: Any) -> Any:
        entered.release()
        assert go_on.wait(WAIT_S)

    with Server(drain_s=0) as server, contextlib.ExitStack() as stack:
        monkeypatch.setattr("cloud.handlers.ModelHandler._decode", decode)
        connections = [stack.enter_context(server.connect()) for _ in range(3)]
        for connection in connections[:2]:
            connection.send(request("POST", "/model", pack(), FRAME))
            assert entered.acquire(timeout=WAIT_S)
        connections[2].send(request("POST", "/model", pack(), FRAME))
        until(lambda: server.service._pool._work_queue.qsize() == 1)
        server.stop_service().result(WAIT_S)
        connections[2].answer().refused(503, "unavailable")
        for connection in connections[:2]:
            connection.close()
        until(server.is_empty)
        go_on.set()


# --- what is exported -------------------------------------------------------------------------------------------------


def samples(text: str, parse: Callable[[str], Any]) -> dict[tuple[str, tuple], float]:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in parse(text)
        for sample in family.samples
    }


PLAIN = prometheus_client.parser.text_string_to_metric_families
OPEN_METRICS = prometheus_client.openmetrics.parser.text_string_to_metric_families


def test_every_label_value_is_there_before_the_first_request() -> None:
    with Server() as server:
        found = samples(server.ask("GET", "/metrics").body.decode(), PLAIN)
    prefix = "splitdnn_cloud_"
    codes = {error.status for error in all_request_errors()} | {200, 404, 405, 500}
    for endpoint in ENDPOINTS:
        assert found[f"{prefix}request_duration_seconds_count", (("endpoint", endpoint),)] == 0
        for code in codes:
            assert found[f"{prefix}requests_total", (("code", str(code)), ("endpoint", endpoint))] == 0
    for stage in STAGES:
        assert found[f"{prefix}stage_duration_seconds_count", (("stage", stage),)] == 0
    assert {error.reason for error in all_request_errors()} | {"internal"} == set(REJECTIONS)
    for reason in REJECTIONS:
        assert found[f"{prefix}rejected_total", (("reason", reason),)] == 0
    for codec in NAMES:
        assert found[f"{prefix}payload_bytes_count", (("codec", codec),)] == 0
    for name in (
        "queue_depth",
        "abandoned_total",
        "buffered_bytes",
        "batch_size_count",
        "queue_wait_seconds_count",
    ):
        assert found[prefix + name, ()] == 0
    assert found[f"{prefix}queue_capacity", ()] == 64
    assert found[f"{prefix}ready", ()] == 1
    assert ("process_start_time_seconds", ()) in found
    (build,) = (dict(labels) for name, labels in found if name == "splitdnn_build_info")
    assert (build["component"], build["model"], build["weights"]) == ("cloud", "resnet18", "random:0")


def test_counters_count_and_labels_stay_the_ones_that_were_there(pack: Any) -> None:
    with Server() as server:
        before = samples(server.ask("GET", "/metrics").body.decode(), PLAIN)
        assert server.frame(pack()).status == 200
        server.post({"data": [[0.5] * 512] * 3, "split_point": "flatten"})
        server.frame(pack(codec_id=999)).refused(415, "bad_codec")
        server.ask("GET", "/nowhere/1").refused(404, "http")
        server.ask("GET", "/nowhere/2").refused(404, "http")
        after = samples(server.ask("GET", "/metrics").body.decode(), PLAIN)
    moved = {key: after[key] - before[key] for key in before if "_bucket" not in key[0] and "cloud" in key[0]}
    prefix = "splitdnn_cloud_"
    assert after.keys() == before.keys()
    assert moved[f"{prefix}requests_total", (("code", "200"), ("endpoint", "/model"))] == 2
    assert moved[f"{prefix}requests_total", (("code", "415"), ("endpoint", "/model"))] == 1
    assert moved[f"{prefix}requests_total", (("code", "404"), ("endpoint", "other"))] == 2
    assert moved[f"{prefix}request_duration_seconds_count", (("endpoint", "/model"),)] == 3
    assert moved[f"{prefix}rejected_total", (("reason", "bad_codec"),)] == 1
    assert moved[f"{prefix}payload_bytes_count", (("codec", "float32"),)] == 1
    assert moved[f"{prefix}payload_bytes_sum", (("codec", "float32"),)] == 2048
    assert moved[f"{prefix}batch_size_sum", ()] == 4
    assert moved[f"{prefix}queue_wait_seconds_count", ()] == 2
    counts = {stage: moved[f"{prefix}stage_duration_seconds_count", (("stage", stage),)] for stage in STAGES}
    assert counts == {"receive": 3, "decode": 3, "queue": 2, "tail": 2, "top": 1}
    assert not [
        value for (name, _), value in moved.items() if value < 0 and name.endswith(("_total", "_count"))
    ]


def test_metrics_come_in_the_format_that_is_asked_for(server: Server) -> None:
    accept = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3"
    answer = server.ask("GET", "/metrics", Accept=accept)
    assert answer.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    assert answer.body.endswith(b"# EOF\n")
    plain = server.ask("GET", "/metrics")
    assert plain.headers["content-type"].startswith("text/plain; version=0.0.4")
    open_names = {name for name, _ in samples(answer.body.decode(), OPEN_METRICS)}
    assert open_names == {name for name, _ in samples(plain.body.decode(), PLAIN)}
    assert not [name for name in open_names if name.endswith("_created")]


@pytest.mark.parametrize("version", ["x", "1.0.0-rc.1", "", ";;==", "9" * 100])
def test_a_scraper_that_asks_for_nonsense_gets_its_metrics(server: Server, version: str) -> None:
    for kind in ("application/openmetrics-text", "text/plain"):
        answer = server.ask("GET", "/metrics", Accept=f"{kind};version={version}")
        assert answer.status == 200
        assert b"splitdnn_cloud_ready 1.0" in answer.body


def test_a_bug_is_a_500_that_tells_the_log_and_not_the_client(
    expect_log: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, pack: Any
) -> None:
    with Server() as server, server.connect() as connection:

        def broken(_split_point: str, _tensors: np.ndarray) -> np.ndarray:
            raise RuntimeError("secret /etc/shadow")

        with monkeypatch.context() as patch:
            patch.setattr(server.service.tails, "run", broken)
            answer = connection.ask("POST", "/model", pack(), FRAME)
        refusal = answer.refused(500, "internal")
        assert (refusal["error"], refusal["accepted"]) == ("internal error; the server's log says more", None)
        assert b"secret" not in answer.body
        assert server.metric("rejected_total", reason="internal") == 1
        until(lambda: server.metric("requests_total", endpoint="/model", code="500") == 1)
        (record,) = (record for record in expect_log.records if record.levelno >= logging.WARNING)
        assert "secret /etc/shadow" in str(record.exc_info)
        assert connection.ask("POST", "/model", pack(), FRAME).status == 200
        until(server.is_empty)
