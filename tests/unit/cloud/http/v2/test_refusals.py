"""Inference requests that are refused: always in JSON, with what was found and what is accepted, and nothing else is affected."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from kits.cloud import Server, chunked, request, until
from kits.inference import HEADER, asked, body, infer, outputs, path_of, tensor, texts

if TYPE_CHECKING:
    from collections.abc import Callable

FLAT = np.linspace(-1, 1, 512, dtype=np.float32)[None]
GIVEN = tensor("flatten", FLAT)


def changed(**changes: Any) -> tuple[dict[str, Any], bytes]:
    return GIVEN[0] | changes, GIVEN[1]


def test_tensors_that_do_not_fit(server: Server) -> None:
    infinite = FLAT.copy()
    infinite[0, 7] = np.inf
    for number, (given, status, reason) in enumerate(
        [
            (tensor("nowhere", FLAT), 422, "split_point"),
            (tensor("flatten[0]", FLAT), 422, "split_point"),
            (tensor("flatten", FLAT[:, :511]), 422, "shape"),
            (tensor("flatten", FLAT[0]), 413, "too_large"),
            (tensor("flatten", FLAT.astype(np.uint8)), 400, "bad_body"),
            (tensor("flatten", infinite), 422, "bad_content"),
            (changed(shape=[1, 513]), 400, "bad_body"),
            (changed(datatype="FP64"), 400, "bad_body"),
            (changed(datatype="BF16"), 400, "bad_body"),
            (changed(shape=[]), 400, "bad_body"),
            (changed(shape=[0, 512]), 400, "bad_body"),
            (changed(shape=[True, 512]), 400, "bad_body"),
            (changed(shape=[1, 512.0]), 400, "bad_body"),
            (changed(shape=[1 << 60, 512]), 400, "bad_body"),
            (changed(shape=[1] * 6), 400, "bad_body"),
            (changed(name=""), 400, "bad_body"),
            (changed(name=7), 400, "bad_body"),
            (changed(name="x" * 300), 400, "bad_body"),
            (changed(parameters={"binary_data_size": -1}), 400, "bad_body"),
            (changed(parameters={"binary_data_size": "2048"}), 400, "bad_body"),
            (changed(parameters={"binary_data_size": 2047}), 400, "bad_body"),
            (changed(parameters={"binary_data_size": 1 << 62}), 400, "bad_body"),
            (changed(parameters={"shared_memory_region": "x"}), 400, "bad_body"),
            (changed(parameters={}), 400, "bad_body"),
            (changed(parameters=[1]), 400, "bad_body"),
            (changed(data=[1.0]), 400, "bad_body"),
        ]
    ):
        response = infer(server, given)
        assert (number, response.status, response.json["reason"]) == (number, status, reason), response.body
        response.refused(status, reason)
    assert infer(server, GIVEN).status == 200


def test_requests_that_are_none(server: Server) -> None:
    for number, fields in enumerate(
        [
            {"inputs": []},
            {"inputs": {}},
            {"inputs": None},
            {"inputs": ["flatten"]},
            {"inputs": [GIVEN[0], GIVEN[0]]},
            {"parameters": 1},
            {"parameters": {"binary_data_output": 1}},
            {"parameters": {"timeout": -1}},
            {"parameters": {"timeout": 1.5}},
            {"parameters": {"top": 0}},
            {"parameters": {"threshold": 2}},
            {"outputs": "output"},
            {"outputs": [7]},
            {"outputs": asked("nothing")},
            {"outputs": asked("output", classification=-1)},
            {"outputs": asked("answer", classification=1)},
            {"outputs": asked("output", binary_data="yes")},
            {"outputs": asked("output", shared_memory_region="x")},
            {"outputs": asked("output", "output")},
            {"id": 7},
            {"id": "x" * 300},
        ]
    ):
        refused = infer(server, GIVEN, **fields).refused(400, "bad_body")
        assert refused["accepted"], number
    infer(server, GIVEN, outputs=asked(*map(str, range(65)))).refused(413, "too_large")


@pytest.mark.parametrize("text", ["", "x", "-1", "1.0", "0x10", "٣", "999999", "1e3", " "])
def test_the_length_of_the_json(server: Server, text: str) -> None:
    data, _ = body(GIVEN)
    refused = server.ask("POST", path_of(server), data, **{HEADER: text})
    status = 413 if text == "999999" else 400
    refused.refused(status, "too_large" if status == 413 else "bad_body")


def test_the_length_of_the_json_is_the_bodys_at_most(server: Server) -> None:
    data, _ = body(GIVEN)
    server.ask("POST", path_of(server), data, **{HEADER: str(len(data) + 1)}).refused(400, "bad_body")
    headers = {HEADER: "10000", "Transfer-Encoding": "chunked"}  # of which nobody knows the length beforehand
    server.ask("POST", path_of(server), chunked(data), **headers).refused(400, "bad_body")
    server.ask("POST", path_of(server), b"", **{HEADER: "0"}).refused(422, "bad_content")


def test_json_bodies_that_are_none(server: Server) -> None:
    flat = {"name": "flatten", "shape": [1, 512], "datatype": "FP32", "data": FLAT.ravel().tolist()}
    for number, (given, status) in enumerate(
        [
            (flat | {"data": flat["data"][1:]}, 422),
            (flat | {"data": [flat["data"][1:]]}, 422),
            (flat | {"data": "1"}, 422),
            (flat | {"data": ["1"] * 512}, 422),
            (flat | {"data": [None] * 512}, 422),
            (flat | {"data": [[1], [2, 3]]}, 422),
            (flat | {"data": [1e40] * 512}, 422),
            (flat | {"data": None}, 400),
            (flat | {"datatype": "BYTES", "shape": [1], "data": ["x"]}, 400),
            (flat | {"datatype": "UINT8"}, 400),
            ({key: flat[key] for key in flat if key != "data"}, 400),
            (
                {key: flat[key] for key in flat if key != "data"} | {"parameters": {"binary_data_size": 8}},
                400,
            ),
        ]
    ):
        response = server.post({"inputs": [given]}, {}, path_of(server))
        assert (number, response.status) == (number, status), response.body
    for text in (b"", b"[]", b"7", b"{", b'{"inputs": ' + b"[" * 5000):
        server.post(text, {}, path_of(server)).refused(400, "bad_body")
    # Large enough for the process that reads large bodies.
    server.post(json.dumps({"inputs": [flat], "id": "x" * 70_000}).encode(), {}, path_of(server)).refused(
        400, "bad_body"
    )


def test_bytes_beside_tensors(server: Server, pack: Callable[..., bytes]) -> None:
    for given in ((GIVEN, texts(pack())), (texts(pack()), GIVEN)):
        response = infer(server, *given)
        assert response.status in (400, 422), response.body
        response.refused(response.status, response.json["reason"])


def test_bytes_that_are_no_elements(server: Server, pack: Callable[..., bytes]) -> None:
    fields, data = texts(pack(), pack())
    for shape in ([1], [3], [2, 2], [1 << 40]):
        response = infer(server, (fields | {"shape": shape}, data))
        response.refused(413, "too_large") if shape[0] > 64 else response.refused(400, "bad_body")
    assert infer(server, (fields | {"shape": [2, 1]}, data)).status == 200
    broken = b"\xff\xff\xff\xff" + data[4:]
    infer(server, (fields, broken)).refused(400, "bad_body")


def test_too_many_rows(server: Server) -> None:
    many = np.repeat(FLAT, 65, axis=0)
    refused = infer(server, tensor("flatten", many)).refused(413, "too_large")
    assert refused["accepted"] == {"rows": "1 to 64"}


def test_encodings_other_methods_and_other_paths(server: Server) -> None:
    data, headers = body(GIVEN)
    for encoding in ("gzip", "deflate"):
        server.ask("POST", path_of(server), data, **headers, **{"Content-Encoding": encoding}).refused(
            415, "media_type"
        )
    refused = server.ask("GET", path_of(server))
    assert (refused.status, refused.json["accepted"]) == (405, ["POST"])
    version = server.service.network.model.fingerprint.hex()
    for what in ("", "/ready", f"/versions/{version}", f"/versions/{version}/ready"):
        assert server.ask("HEAD", path_of(server, what)).status == 200, what
    for path in ("config", "stats", "trace/setting"):
        assert server.ask("GET", f"{path_of(server, '')}/{path}").status == 404, path
    for path in ("repository/index", "systemsharedmemory/status", "models", "health", "logging"):
        response = server.ask("POST", f"/v2/{path}", b"{}")
        assert (response.status, response.json["reason"]) == (404, "http"), path
    server.ask("POST", "/v2/models/another/infer", data, **headers).refused(404, "unknown_model")


def test_a_cloud_that_is_starting() -> None:
    with Server(start=False) as server:
        data, headers = body(GIVEN)
        server.ask("POST", "/v2/models/any/infer", data, **headers).refused(503, "unavailable")
        server.ask("GET", "/v2/models/any").refused(503, "unavailable")
        server.ask("GET", "/v2/models/any/ready").refused(503, "unavailable")
        assert server.ask("GET", "/v2/health/ready").json == {"ready": False}
        assert server.ask("GET", "/v2/health/ready").status == 503
        assert server.ask("GET", "/v2/health/live").json == {"live": True}


def test_what_is_too_large_is_refused_before_it_is_read() -> None:
    with Server(max_body_bytes=4096) as server:
        many = np.repeat(FLAT, 4, axis=0)
        infer(server, tensor("flatten", many)).refused(413, "too_large")
        with server.connect() as connection:
            connection.send(request("POST", path_of(server), b"", {HEADER: "10", "Content-Length": "999999"}))
            connection.answer().refused(413, "too_large")
        np.testing.assert_equal(outputs(infer(server, GIVEN))["output"].shape, (1, 1000))
        until(server.is_empty)
