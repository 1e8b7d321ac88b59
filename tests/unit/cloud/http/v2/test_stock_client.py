"""Triton's own HTTP client, unchanged, against this cloud."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tritonclient.http as triton
import tritonclient.http.aio as triton_aio
from kits.cloud import Gate, Server
from tritonclient.utils import InferenceServerException

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TOLERANCE = {"rtol": 1e-4, "atol": 2e-4}


@pytest.fixture
def client(server: Server) -> Iterator[triton.InferenceServerClient]:
    with triton.InferenceServerClient(f"127.0.0.1:{server.port}") as client:
        yield client


@pytest.fixture
def name(server: Server) -> str:
    return server.service.network.model.name


def given(name: str, array: np.ndarray, *, binary: bool = True, kind: str | None = None) -> triton.InferInput:
    datatypes = {"float32": "FP32", "float16": "FP16", "uint8": "UINT8"}
    tensor = triton.InferInput(name, list(array.shape), kind or datatypes[array.dtype.name])
    return tensor.set_data_from_numpy(array, binary_data=binary)


def elements(*data: bytes) -> np.ndarray:
    return np.array(data, dtype=np.object_)


def test_health_and_metadata(server: Server, client: triton.InferenceServerClient, name: str) -> None:
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.get_server_metadata()["extensions"] == ["binary_tensor_data", "classification"]
    version = server.service.network.model.fingerprint.hex()
    for wanted, ready in (("", True), (version, True), ("1", False)):
        assert client.is_model_ready(name, wanted) == ready
    assert not client.is_model_ready("another")
    metadata = client.get_model_metadata(name)
    assert (metadata["name"], metadata["versions"]) == (name, [version])
    assert metadata["inputs"] == [{"name": "input", "datatype": "FP32", "shape": [-1, 3, 224, 224]}]
    assert [each["name"] for each in metadata["outputs"]] == ["output", "answer"]
    point = metadata["parameters"]["split_points"]["layer3"]
    assert point == [{"name": "layer3", "datatype": "FP32", "shape": [-1, 256, 14, 14]}]


def test_every_form(client: triton.InferenceServerClient, name: str, crossing: Callable[..., Any]) -> None:
    tensors, logits = crossing("layer4", 2)
    for binary in (True, False):
        for outputs in (None, [triton.InferRequestedOutput("output", binary_data=binary)]):
            result = client.infer(
                name, [given("layer4", tensors, binary=binary)], outputs=outputs, request_id="7"
            )
            np.testing.assert_allclose(result.as_numpy("output"), logits, **TOLERANCE)
            assert result.get_response()["id"] == "7"
    halves = client.infer(name, [given("layer4", tensors.astype(np.float16))])
    np.testing.assert_allclose(halves.as_numpy("output"), logits, rtol=0.1, atol=0.1)


def test_frames_and_labels(
    server: Server, client: triton.InferenceServerClient, name: str, pack: Callable[..., bytes]
) -> None:
    frame = pack()
    expected = server.frame(frame).json["top"]
    wanted = [
        triton.InferRequestedOutput("output", class_count=3),
        triton.InferRequestedOutput("answer", binary_data=False),
    ]
    result = client.infer(
        name,
        [given("input", elements(frame, frame), kind="BYTES")],
        outputs=wanted,
        parameters={"top": 2},
        timeout=20_000_000,
        priority=1,
    )
    classes = result.as_numpy("output")
    assert classes.shape == (2, 3)
    assert [each.decode().split(":", 2)[2] for each in classes[1]] == [each["label"] for each in expected[:3]]
    answers = [json.loads(each) for each in result.as_numpy("answer")]
    assert [[each["label"] for each in answer["top"]] for answer in answers] == 2 * [
        [each["label"] for each in expected[:2]]
    ]


def test_what_is_refused_is_said(client: triton.InferenceServerClient, name: str) -> None:
    wrong = np.zeros((1, 5), np.float32)
    for call, status, text in (
        (lambda: client.infer(name, [given("flatten", wrong)]), "422", "there crosses"),
        (lambda: client.infer(name, [given("flaten", wrong)]), "422", "did you mean flatten?"),
        (lambda: client.infer("another", [given("flatten", wrong)]), "404", "no model 'another'"),
        (
            lambda: client.infer(name, [given("flatten", wrong)], request_compression_algorithm="gzip"),
            "415",
            "gzip",
        ),
        (
            lambda: client.infer(name, [given("flatten", wrong)], request_compression_algorithm="deflate"),
            "415",
            "defl",
        ),
        (lambda: client.get_model_config(name), "404", "config"),
        (lambda: client.get_inference_statistics(name), "404", "stats"),
        (client.get_model_repository_index, "404", "no such path"),
        (client.get_system_shared_memory_status, "404", "no such path"),
    ):
        with pytest.raises(InferenceServerException, match=text.replace("?", r"\?")) as refused:
            call()
        assert refused.value.status() == status, text


def test_a_cloud_that_is_busy_or_starting_says_so() -> None:
    with Server(start=False) as server, triton.InferenceServerClient(f"127.0.0.1:{server.port}") as client:
        assert client.is_server_live()
        assert not client.is_server_ready()
        with pytest.raises(InferenceServerException, match="starting") as refused:
            client.infer("any", [given("flatten", np.zeros((1, 512), np.float32))])
        assert refused.value.status() == "503"


def test_a_deadline_of_its_own(name: str) -> None:
    with (
        Server() as server,
        triton.InferenceServerClient(f"127.0.0.1:{server.port}") as client,
        Gate(server),
        pytest.raises(InferenceServerException, match="no answer within the") as refused,
    ):
        client.infer(name, [given("flatten", np.zeros((1, 512), np.float32))], timeout=50_000)
    assert refused.value.status() == "504"


def test_many_at_once(server: Server, name: str, crossing: Callable[..., Any]) -> None:
    """The client's other form, for event loops."""
    tensors, logits = crossing("flatten", 8)

    async def ask() -> list[np.ndarray]:
        async with triton_aio.InferenceServerClient(f"127.0.0.1:{server.port}") as client:
            assert await client.is_model_ready(name)
            found = [client.infer(name, [given("flatten", tensors[row : row + 1])]) for row in range(8)]
            return [result.as_numpy("output") for result in await asyncio.gather(*found)]

    np.testing.assert_allclose(np.concatenate(asyncio.run(ask())), logits, **TOLERANCE)
