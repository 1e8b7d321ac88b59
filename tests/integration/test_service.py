"""The cloud as its clients meet it: the original contracts, hostile bytes, draining, metrics."""

from __future__ import annotations

import json
import socket
import threading
import urllib.error
import urllib.request
from urllib.parse import urlsplit

import numpy as np
import pytest
import torch
from kits import common as kit

from shared.codecs import encode_frame, make_codec
from shared.torch_network.partition import TorchPartition
from shared.wire import frame as wire
from shared.wire.http import CONTENT_TYPE

pytestmark = pytest.mark.timeout(600)

JSON = "application/json"


def post(url: str, body: bytes, content_type: str = JSON) -> tuple[int, dict]:
    request = urllib.request.Request(url, body, {"Content-Type": content_type})
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


@pytest.fixture(scope="module")
def partition(reference):
    """Cut by torch, which knows nothing of the bundle that the system under test runs."""
    return TorchPartition(reference.module, reference.recipe.tensor_shape)


@pytest.fixture(scope="module")
def picture(reference):
    generator = np.random.default_rng(7)
    return generator.integers(0, 256, reference.recipe.picture_shape, dtype=np.uint8)


def frame_for(reference, partition, picture, split_point: str, codec: str = "float32", **fields) -> bytes:
    with torch.inference_mode():
        tensor = torch.from_numpy(reference.recipe.normalise(picture))[None]
        crossing = partition.head(partition.point(split_point))(tensor)
    fields = {"split_point": split_point, "fingerprint": reference.fingerprint, "frame_id": 1} | fields
    return wire.pack(encode_frame([each[0].numpy() for each in crossing], make_codec(codec), **fields))


def test_the_original_endpoints_answer(system):
    with urllib.request.urlopen(f"{system.cloud_url}/", timeout=60) as response:
        assert "Hello" in response.read().decode()
    assert post(f"{system.cloud_url}/compute", b'{"number": 7}') == (200, {"result": 49})


@pytest.mark.parametrize("split_point", [None, "input", "maxpool", "layer4", "flatten", "output"])
def test_json_tensors_are_answered_with_logits_at_every_kind_of_split_point(
    system, reference, partition, picture, split_point
):
    point = partition.point(split_point or "layer3")
    tensor = torch.from_numpy(reference.recipe.normalise(picture))[None]
    with torch.inference_mode():
        (crossing,) = partition.head(point)(tensor)
        expected = reference.module(tensor).numpy()
    body = {"data": crossing.tolist(), "count": 12} | ({"split_point": split_point} if split_point else {})
    status, answer = post(f"{system.cloud_url}/model", json.dumps(body).encode())
    assert (status, answer["count"]) == (200, 12)
    np.testing.assert_allclose(answer["result"], expected, atol=1e-4)


def test_bad_bytes_at_every_endpoint_cost_nobody_else_anything(system, reference, partition, picture):
    good = frame_for(reference, partition, picture, "layer3")
    damaged = bytearray(good)
    damaged[len(good) // 2] ^= 0xFF
    url = f"{system.cloud_url}/model"
    expected = {
        b"": 400,
        b"SDNF": 400,
        bytes(200): 400,
        good[:-1]: 400,
        good + b"x": 400,
        bytes(damaged): 400,
        frame_for(reference, partition, picture, "layer3", fingerprint=b"notthere"): 409,
    }
    for body, status in expected.items():
        answered, reply = post(url, body, CONTENT_TYPE)
        assert answered == status, reply
        assert reply["error"]
        assert post(url, good, CONTENT_TYPE)[0] == 200
    for path in ("/", "/compute", "/model", "/healthz", "/readyz", "/metrics", "/nothing"):
        for body in (b"", b"\xff" * 64, b"[" * 5000, b'{"number": NaN}', b'{"data": [[NaN]]}'):
            status, reply = post(f"{system.cloud_url}{path}", body)
            assert 400 <= status < 500, (path, body[:20], reply)
            assert reply["error"]
    host = urlsplit(system.cloud_url)
    for garbage in (
        b"\x16\x03\x01\x02\x00",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST /model HTTP/1.1\r\nContent-Length: -5\r\n\r\n",
    ):
        with socket.create_connection((host.hostname, host.port), timeout=60) as raw:
            raw.sendall(garbage)
    assert post(url, good, CONTENT_TYPE)[0] == 200


def test_an_edge_of_another_network_is_told_so_at_once(system):
    with pytest.raises(AssertionError, match="give both the same --model and --weights"):
        system.edge(source="synthetic:fps=0,frames=1", weights="random", seed="5").finish()


def test_sigterm_drains_what_is_in_progress(system, reference, partition, picture):
    body = frame_for(reference, partition, picture, "input")
    statuses: list[int] = []
    count = 40  # several batches, so that some still wait when the signal comes
    threads = [
        threading.Thread(
            target=lambda: statuses.append(post(f"{system.cloud_url}/model", body, CONTENT_TYPE)[0])
        )
        for _ in range(count)
    ]

    def in_progress() -> bool:
        with urllib.request.urlopen(f"{system.cloud_url}/metrics", timeout=5) as response:
            lines = response.read().decode().splitlines()
        return any(
            line.startswith("splitdnn_cloud_queue_depth ") and float(line.split()[1]) > 0 for line in lines
        )

    for thread in threads:
        thread.start()
    try:
        kit.wait_for(in_progress, "requests in the queue", 120)
        system.stop_cloud()
    finally:
        for thread in threads:
            thread.join(60)
        system.start_cloud()
    assert statuses.count(200) == len(statuses) == count


def test_the_planner_answers_every_frame_whatever_it_chooses(system):
    run = system.edge(source="synthetic:fps=0,frames=60", split_point="auto", objective="throughput")
    records = run.finish(300)
    assert [record["frame"] for record in records] == list(range(60))
    assert {record["answered_by"] for record in records} <= {"cloud", "edge"}
    assert {record["fallback"] for record in records} <= {None, "explore"}, run.said()
    said = "\n".join(run.errors)
    assert "surveyed" in said
    assert " plan " in said
