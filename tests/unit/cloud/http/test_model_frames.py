"""`POST /model`: binary frames."""

from __future__ import annotations

import contextlib
import struct
import threading
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from kits.cloud import FRAME, JSON, Gate, Server, request, until, waiting
from kits.codecs import PICTURE_CODECS, TENSOR_CODECS, VIDEO_CODECS, name_of, picture, with_right_crc

from shared.codecs import decode_frame
from shared.network.recipes.resize import fit_picture
from shared.tasks.classify import top_classes
from shared.wire import frame as wire
from shared.wire.http import CONTENT_TYPE

if TYPE_CHECKING:
    from shared.codecs import Codec
    from shared.engines.load import Network
    from shared.network.model import Model


@pytest.mark.parametrize("codec", [*TENSOR_CODECS, *PICTURE_CODECS, *VIDEO_CODECS], ids=name_of)
def test_a_frame_of_every_codec_is_answered(
    server: Server, model: Model, network: Network, pack: Any, codec: Codec
) -> None:
    if codec.carries == "picture":
        point, array = "input", picture(224, 224)
    else:
        point, array = "layer4", np.random.default_rng(2).normal(size=(512, 7, 7)).astype(np.float32)
    data = pack(array, codec.name, split_point=point, frame_id=2**64 - 1)
    (decoded,) = decode_frame(wire.unpack(data))
    tensor = model.recipe.normalise(decoded) if codec.carries == "picture" else decoded
    (logits,) = network.engine.tail(network.partition.point(point))((tensor[None],))
    before = server.metric("payload_bytes_count", codec=codec.name)
    answer = server.frame(data, "?top=3").json
    assert (answer["frame_id"], answer["split_point"]) == (2**64 - 1, point)
    expected = top_classes(logits[0], model.labels, 3)
    assert [entry["class_id"] for entry in answer["top"]] == [entry["class_id"] for entry in expected]
    assert [entry["label"] for entry in answer["top"]] == [entry["label"] for entry in expected]
    for got, wanted in zip(answer["top"], expected, strict=True):
        assert got["probability"] == pytest.approx(wanted["probability"], abs=1e-4)
    assert list(answer["stages_ms"]) == ["receive", "decode", "queue", "tail", "top"]
    assert all(milliseconds >= 0 for milliseconds in answer["stages_ms"].values())
    assert server.metric("payload_bytes_count", codec=codec.name) == before + 1


@pytest.mark.parametrize("codec", ["raw", "png", "jpeg", "webp", "h264"])
def test_a_picture_of_the_cameras_size_is_answered_as_the_resized_one(
    server: Server, model: Model, pack: Any, codec: str
) -> None:
    data = pack(picture(360, 640), codec, split_point="input", frame_id=9)
    resized = fit_picture(*decode_frame(wire.unpack(data)), model.recipe)
    before = server.metric("payload_bytes_count", codec=codec)
    answer = server.frame(data).json
    expected = server.frame(pack(resized, "raw", split_point="input", frame_id=9)).json
    assert (answer["frame_id"], answer["split_point"]) == (9, "input")
    assert answer["top"] == expected["top"]
    assert list(answer["stages_ms"]) == ["receive", "decode", "queue", "tail", "top"]
    assert server.metric("payload_bytes_count", codec=codec) == before + (2 if codec == "raw" else 1)
    until(server.is_empty)


def test_tensors_do_not_wait_for_large_pictures(
    server: Server, pack: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor does a picture of the network's size; and one whose deadline passes while it waits is not decoded."""
    held, late_s, monotonic = threading.Event(), 0.0, time.monotonic
    monkeypatch.setattr("cloud.http.base.time", SimpleNamespace(monotonic=lambda: monotonic() + late_s))
    server.occupy(server.service.pools.pictures, held)
    before = server.metric("rejected_total", reason="deadline")
    with server.connect() as one:
        one.send(
            request(
                "POST", "/model", pack(picture(9, 9), "raw", split_point="input", deadline_ms=30_000), FRAME
            )
        )
        until(lambda: waiting(server.service.pools.pictures) == 1)
        assert server.frame(pack()).status == 200
        assert server.frame(pack(picture(224, 224), "jpeg", split_point="input")).status == 200
        late_s = 30.0
        held.set()
        one.answer().refused(504, "deadline")
        late_s = 0.0
    assert server.metric("rejected_total", reason="deadline") == before + 1
    assert server.frame(pack(picture(9, 9), "raw", split_point="input")).status == 200


def test_a_large_picture_whose_caller_has_gone_is_not_kept(server: Server, pack: Any) -> None:
    held = threading.Event()
    server.occupy(server.service.pools.pictures, held)
    before = server.metric("abandoned_total")
    with server.connect() as one:
        one.send(request("POST", "/model", pack(picture(900, 900), "raw", split_point="input"), FRAME))
        until(lambda: waiting(server.service.pools.pictures) == 1)
        assert server.service.buffered_bytes > 900 * 900 * 3
    until(server.is_empty)
    held.set()
    until(lambda: server.metric("abandoned_total") == before + 1)
    assert server.frame(pack(picture(9, 9), "raw", split_point="input")).status == 200


def test_top_is_how_many_classes_come_back(server: Server, pack: Any) -> None:
    assert len(server.frame(pack()).json["top"]) == 5
    for count in (1, 7, 1000):
        top = server.frame(pack(), f"?top={count}").json["top"]
        assert len(top) == count
        assert top == sorted(top, key=lambda entry: -entry["probability"])


def test_a_top_that_is_no_number_of_classes_is_refused(server: Server, pack: Any) -> None:
    for top in ("0", "1001", "-1", "five", "", "1.0", "1e2", "%D9%A3", "%C2%B2", "9" * 5000):
        refusal = server.frame(pack(), f"?top={top}").refused(400, "bad_body")
        assert refusal["accepted"] == {"top": "1 to 1000"}, top[:20]


def test_a_query_that_is_no_text_is_refused_legibly(server: Server, pack: Any) -> None:
    error = server.frame(pack(), "?top=%ff").refused(400, "bad_body")["error"]
    assert "top" in error
    assert "%" not in error


def test_a_foreign_fingerprint_is_a_conflict(server: Server, model: Model, pack: Any) -> None:
    refusal = server.frame(pack(fingerprint=bytes(8))).refused(409, "fingerprint")
    assert refusal["accepted"]["fingerprint"] == model.fingerprint.hex()


def test_frames_that_cannot_be_used_are_refused_by_name(server: Server, pack: Any) -> None:
    good, tiny = pack(), pack(picture(), "raw", split_point="input")
    nan = struct.pack("<f", float("nan"))
    cases: list[tuple[bytes, int, str]] = [
        (b"", 400, "bad_frame"),
        (b"GIF89a" + bytes(100), 400, "bad_frame"),
        (good[:-1] + bytes([good[-1] ^ 1]), 400, "bad_frame"),
        (good + b"\0", 400, "bad_frame"),
        (with_right_crc(good[:4] + b"\x03" + good[5:]), 400, "bad_frame"),
        (with_right_crc(good[:48] + b"\xff\xff\xff\xff" + good[52:]), 413, "too_large"),
        (with_right_crc(good[:-4] + nan), 422, "bad_content"),
        (pack(codec_id=999), 415, "bad_codec"),
        (pack(picture(224, 224), "jpeg"), 415, "bad_codec"),
        (pack(np.zeros(511, np.float32)), 422, "shape"),
        (pack(picture(), "raw", split_point="input", shape=(8, 24)), 422, "shape"),
        (pack(picture(), "webp", split_point="input", shape=(224, 225, 3)), 422, "bad_content"),
        (pack(picture(), "png", split_point="input", shape=(2000, 2000, 3)), 422, "bad_content"),
        (with_right_crc(tiny[:36] + struct.pack("<HH", 3000, 3000) + tiny[40:]), 413, "too_large"),
        (pack(payload=b"no jpeg", shape=(224, 224, 3), codec_id=66, split_point="input"), 422, "bad_content"),
        (pack(codec_id=2), 422, "bad_content"),
        *((good[:length], 400, "bad_frame") for length in (1, 55, 56, 60, len(good) - 1)),
    ]
    with server.connect() as connection:  # one for all of them: a refusal ends no connection
        for data, status, reason in cases:
            connection.ask("POST", "/model", data, FRAME).refused(status, reason)
        assert connection.ask("POST", "/model", good, FRAME).status == 200


def test_a_media_type_that_is_not_supported_is_refused_with_those_that_are(server: Server, pack: Any) -> None:
    cases = [
        ({"Content-Type": "text/html"}, "Content-Type text/html is not supported"),
        ({"Content-Type": "multipart/mixed; boundary=x"}, "Content-Type multipart/mixed is not supported"),
        ({"Content-Type": "image/gif"}, "Content-Type image/gif is not supported"),
        (
            {"Content-Type": "application/vnd.splitdnn.frames"},
            "Content-Type application/vnd.splitdnn.frames is not supported",
        ),
        (JSON | {"Content-Encoding": "gzip"}, "Content-Encoding gzip is not supported"),
        (FRAME | {"Content-Encoding": "zstd"}, "Content-Encoding zstd is not supported"),
        (
            {"Content-Type": "text/plain", "Content-Encoding": "deflate"},
            "Content-Encoding deflate is not supported",
        ),
    ]
    with server.connect() as connection:
        for headers, text in cases:
            refusal = connection.ask("POST", "/model", pack(), headers).refused(415, "media_type")
            assert (refusal["error"], bool(refusal["accepted"])) == (text, True)
            assert connection.ask("GET", "/healthz").status == 200


def test_header_values_are_read_as_http_says(server: Server, pack: Any) -> None:
    kind = {"Content-Type": f"{CONTENT_TYPE.upper()} ; v=1", "Content-Encoding": "Identity"}
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
