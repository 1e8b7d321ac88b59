"""`POST /v2/models/NAME/infer` with tensors in binary form: every split point, several rows, every form of the answer."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
from kits.inference import asked, body, infer, outputs, path_of, tensor

from shared.tasks.classify import top_classes

if TYPE_CHECKING:
    from collections.abc import Callable

    from kits.cloud import Server

OUTPUT = "output"
TOLERANCE = {"rtol": 1e-4, "atol": 2e-4}


def test_a_tensor_crosses_at_every_split_point(server: Server, crossing: Callable[..., Any]) -> None:
    for name in server.service.network.partition.points:
        if name == "output":
            continue
        tensors, logits = crossing(name)
        response = infer(server, tensor(name, tensors))
        np.testing.assert_allclose(outputs(response)[OUTPUT], logits, err_msg=name, **TOLERANCE)


def test_the_answer_says_what_gave_it(server: Server, crossing: Callable[..., Any]) -> None:
    tensors, _ = crossing("flatten")
    response = infer(server, tensor("flatten", tensors), id="seven")
    assert response.headers["content-type"] == "application/octet-stream"
    fields = json.loads(response.body[: int(response.headers["inference-header-content-length"])])
    model = server.service.network.model
    assert {key: fields[key] for key in fields if key != "outputs"} == {
        "model_name": model.name,
        "model_version": model.fingerprint.hex(),
        "id": "seven",
    }
    assert fields["outputs"] == [
        {"name": OUTPUT, "datatype": "FP32", "shape": [1, 1000], "parameters": {"binary_data_size": 4000}}
    ]


def test_rows_of_one_request(server: Server, crossing: Callable[..., Any]) -> None:
    """More than fit into a batch."""
    tensors, logits = crossing("flatten", 20)
    found = outputs(infer(server, tensor("flatten", tensors)))
    np.testing.assert_allclose(found[OUTPUT], logits, **TOLERANCE)


def test_float16(server: Server, crossing: Callable[..., Any]) -> None:
    tensors, _ = crossing("layer3", 2)
    halves = tensors.astype(np.float16)
    expected = outputs(infer(server, tensor("layer3", halves.astype(np.float32))))
    found = outputs(infer(server, tensor("layer3", halves)))
    np.testing.assert_array_equal(found[OUTPUT], expected[OUTPUT])


def test_json_in_and_out(server: Server, crossing: Callable[..., Any]) -> None:
    tensors, logits = crossing("flatten", 2)
    flat = {"name": "flatten", "shape": [2, 512], "datatype": "FP32"}
    for data in (tensors.tolist(), tensors.ravel().tolist()):
        response = server.post({"inputs": [flat | {"data": data}], "id": ""}, {}, path_of(server))
        assert response.headers["content-type"] == "application/json"
        assert response.json["id"] == ""
        np.testing.assert_allclose(outputs(response)[OUTPUT], logits, **TOLERANCE)


def test_each_output_says_its_form(server: Server, crossing: Callable[..., Any]) -> None:
    tensors, logits = crossing("flatten")
    given = tensor("flatten", tensors)
    for binary, parameters in ((True, {"binary_data": True}), (False, {"binary_data": False}), (True, {})):
        response = infer(server, given, outputs=asked(OUTPUT, **parameters))
        assert ("inference-header-content-length" in response.headers) == binary
        np.testing.assert_allclose(outputs(response)[OUTPUT], logits, **TOLERANCE)
    mixed = [*asked("answer", binary_data=True), *asked(OUTPUT, binary_data=False)]
    found = outputs(infer(server, given, outputs=mixed))
    np.testing.assert_allclose(found[OUTPUT], logits, **TOLERANCE)
    assert json.loads(found["answer"][0])["task"] == "classify"


def test_classes_and_answers(server: Server, crossing: Callable[..., Any]) -> None:
    tensors, logits = crossing("flatten", 3)
    labels = server.service.network.model.labels
    for binary in (True, False):
        wanted = [
            {"name": OUTPUT, "parameters": {"classification": 2, "binary_data": binary}},
            {"name": "answer", "parameters": {"binary_data": binary}},
        ]
        parameters = {"top": 3}
        found = outputs(infer(server, tensor("flatten", tensors), outputs=wanted, parameters=parameters))
        for row in range(3):
            top = top_classes(logits[row], labels, 3)
            answer = json.loads(found["answer"][row])
            assert answer["task"] == "classify"
            assert [each["label"] for each in answer["top"]] == [each["label"] for each in top]
            for place in range(2):
                value, index, label = found[OUTPUT][2 * row + place].decode().split(":", 2)
                assert (int(index), label) == (top[place]["class_id"], top[place]["label"])
                np.testing.assert_allclose(float(value), logits[row, int(index)], rtol=1e-4)


def test_a_version_is_a_fingerprint(server: Server, crossing: Callable[..., Any]) -> None:
    tensors, logits = crossing("flatten")
    version = server.service.network.model.fingerprint.hex()
    path = path_of(server, f"/versions/{version}/infer")
    found = outputs(infer(server, tensor("flatten", tensors), path=path))
    np.testing.assert_allclose(found[OUTPUT], logits, **TOLERANCE)
    for wrong in ("1", "0" * 16):
        path = path_of(server, f"/versions/{wrong}/infer")
        refused = infer(server, tensor("flatten", tensors), path=path).json
        assert refused["reason"] == "unknown_model"
        assert refused["accepted"]["models"][0]["version"] == version


def test_a_connection_is_kept(server: Server, crossing: Callable[..., Any]) -> None:
    tensors, logits = crossing("flatten")
    data, headers = body(tensor("flatten", tensors))
    with server.connect() as connection:
        for _ in range(3):
            response = connection.ask("POST", path_of(server), data, headers)
            np.testing.assert_allclose(outputs(response)[OUTPUT], logits, **TOLERANCE)
