"""KServe's own client, unchanged, against this cloud: `make kserve-test`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from kits.cloud import Server
from kits.stock_clients import KSERVE, run_block

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not KSERVE, reason="KServe's client is not installed: make kserve-test does that"),
]

BEGINNING = """
import asyncio, json, sys
import httpx
import numpy as np
from kserve import InferenceRESTClient, InferInput, InferRequest, RESTConfig
from kserve.protocol.infer_type import RequestedOutput

def given(name, array, datatype, binary=True):
    tensor = InferInput(name, list(array.shape), datatype)
    tensor.set_data_from_numpy(array, binary_data=binary)
    return tensor

async def main(url, name):
    client = InferenceRESTClient(RESTConfig(protocol="v2"))
"""
END = """
asyncio.run(main(%r, %r))
"""


def asked(server: Server, lines: str, name: str | None = None) -> Any:
    """What a program of these lines, in which `client`, `url` and `name` are known, prints as JSON."""
    name = name or server.service.network.model.name
    indented = "".join(f"    {line}\n" for line in lines.strip().splitlines())
    return json.loads(run_block(BEGINNING + indented + END % (f"http://127.0.0.1:{server.port}", name)))


def test_health_and_readiness(server: Server) -> None:
    found = asked(
        server,
        """
print(json.dumps([
    await client.is_server_live(url), await client.is_server_ready(url),
    await client.is_model_ready(url, name), await client.is_model_ready(url, "another"),
]))
""",
    )
    assert found == [True, True, True, False]


def test_tensors_in_both_forms(server: Server, crossing: Callable[..., Any]) -> None:
    tensors, logits = crossing("flatten", 2)
    found = asked(
        server,
        f"""
array = np.array({tensors.tolist()}, np.float32)
tops = []
for binary in (True, False):
    for asked in (None, [RequestedOutput("output", {{"binary_data": binary}})]):
        request = InferRequest(name, [given("flatten", array, "FP32", binary)], request_outputs=asked)
        response = await client.infer(url, request, model_name=name)
        assert response.model_name == name
        tops.append(response.outputs[0].as_numpy().argmax(1).tolist())
request = InferRequest(name, [given("flatten", array.astype(np.float16), "FP16")], request_id="seven")
response = await client.infer(url, request, model_name=name)
assert response.id == "seven"
tops.append(response.outputs[0].as_numpy().argmax(1).tolist())
print(json.dumps(tops))
""",
    )
    assert found == [logits.argmax(1).tolist()] * 5


def test_a_frame_and_its_answer(server: Server, pack: Callable[..., bytes], tmp_path: Path) -> None:
    frame = pack()
    file = tmp_path / "frame"
    file.write_bytes(frame)
    found = asked(
        server,
        f"""
rows = np.array([open({str(file)!r}, "rb").read()], dtype=np.object_)
request = InferRequest(name, [given("input", rows, "BYTES")], request_outputs=[RequestedOutput("answer", {{"binary_data": False}})])
response = await client.infer(url, request, model_name=name)
print(response.outputs[0].data[0])
""",
    )
    assert found["top"] == server.frame(frame).json["top"]


def test_a_refusal_is_said(server: Server) -> None:
    found = asked(
        server,
        """
request = InferRequest(name, [given("flaten", np.zeros((1, 512), np.float32), "FP32")])
try:
    await client.infer(url, request, model_name=name)
except httpx.HTTPStatusError as error:
    print(json.dumps(str(error)))
""",
    )
    assert "did you mean flatten?" in found


def test_a_cloud_that_starts_is_not_ready() -> None:
    with Server(start=False) as server:
        found = asked(
            server,
            """
live = await client.is_server_live(url)
try:
    await client.is_server_ready(url)
except httpx.HTTPStatusError as error:
    print(json.dumps([live, error.response.status_code, await client.is_model_ready(url, name)]))
""",
            "any",
        )
    assert found == [True, 503, False]
