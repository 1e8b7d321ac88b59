"""The JSON object of an inference request, field by field, and the bytes behind it."""

from __future__ import annotations

import json
import struct
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from kits.inference import body, tensor, texts

from cloud.bodies.inference.names import input_names, split_point_of
from cloud.bodies.inference.request import (
    Input,
    Output,
    Request,
    emptied,
    header_length,
    parse_header,
    parse_request,
    raw_request,
)
from cloud.bodies.inference.tensors import elements, listed, numbers, payloads
from shared.errors import BodyError, LimitError, ShapeError, SplitPointError
from shared.limits import MAX_INFERENCE_HEADER_BYTES
from shared.tasks.spec import Wanted

FLOATS = np.arange(6, dtype=np.float32).reshape(2, 3)


def parsed(*inputs: Any, **fields: Any) -> tuple[Request, memoryview]:
    data, headers = body(*inputs, **fields)
    (length,) = map(int, headers.values())
    return parse_header(data, length), memoryview(data)[length:]


def test_all_that_a_request_may_say() -> None:
    request, rest = parsed(
        tensor("a", FLOATS),
        id="seven",
        parameters={"timeout": 1500, "top": 3, "threshold": 0, "binary_data_output": True, "priority": 1},
        outputs=[
            {"name": "x"},
            {"name": "y", "parameters": {"binary_data": False, "classification": 4}},
        ],
    )
    assert request == Request(
        (Input("a", "FP32", (2, 3), 24),),
        (Output("x", binary=True), Output("y", binary=False, classes=4)),
        "seven",
        binary=True,
        timeout_ms=2,
        wanted=Wanted(3, 0.0),
    )
    assert request.rows == 2
    np.testing.assert_array_equal(numbers(request.inputs[0], payloads(request, rest)[0]), FLOATS)


def test_what_it_need_not_say() -> None:
    request, _ = parsed(tensor("a", FLOATS), parameters=None, outputs=None, id=None)
    assert (request.outputs, request.id, request.binary, request.timeout_ms) == (None, None, False, 0)
    assert request.wanted == Wanted()


def test_bytes_are_elements_behind_their_lengths() -> None:
    request, rest = parsed(texts(b"one", b"", b"three\0"))
    (payload,) = payloads(request, rest)
    assert [bytes(each) for each in elements(request.inputs[0], payload)] == [b"one", b"", b"three\0"]
    assert request.by_row
    assert bytes(memoryview(body(texts(b"one"))[0])[-3:]) == b"one"
    for bad in (payload[:-1], bytes(payload) + b"x", b"", struct.pack("<I", 1 << 31)):
        with pytest.raises(BodyError, match="3 elements of BYTES"):
            elements(request.inputs[0], memoryview(bad))


def test_a_shape_that_promises_more_elements_than_there_are_costs_nothing() -> None:
    with pytest.raises(BodyError, match="hold 1 that take 5"):
        elements(Input("input", "BYTES", (1 << 50,), 5), memoryview(struct.pack("<I", 1) + b"x"))


def test_a_request_of_json_keeps_all_but_its_numbers() -> None:
    fields = {
        "inputs": [{"name": "a", "shape": [2, 3], "datatype": "FP32", "data": FLOATS.tolist()}],
        "id": "7",
    }
    request = parse_request(fields)
    np.testing.assert_array_equal(listed(request.inputs[0]), FLOATS)
    left = json.loads(json.dumps(emptied(fields)))
    assert "data" not in left["inputs"][0]
    assert parse_request(left, emptied=True).id == "7"
    with pytest.raises(BodyError, match="neither data nor"):
        parse_request(left)


def test_nothing_that_nobody_reads_is_kept_of_a_request_of_json() -> None:
    """A process of its own reads large ones, and what it says of them is read on the loop's side."""
    much = "x" * 999
    given = {
        "name": "a",
        "shape": [2],
        "datatype": "FP32",
        "data": [1, 2],
        "parameters": {"o": much},
        "o": much,
    }
    wanted = [
        {"name": "b", "parameters": {"classification": 3, "o": much}, "o": much},
        {"name": "c", "parameters": {"binary_data": False}},
    ]
    asked = {"binary_data_output": True, "timeout": 5000, "top": 2, "threshold": 0.5, "o": much}
    for fields in (
        {"inputs": [given], "outputs": wanted, "parameters": asked, "id": "7", "o": much},
        {"inputs": [given], "outputs": None, "parameters": None, "o": much},
    ):
        left = json.dumps(emptied(fields))
        assert "x" not in left
        whole, again = parse_request(fields), parse_request(json.loads(left), emptied=True)
        assert replace(again, inputs=(replace(again.inputs[0], data=[1, 2]),)) == whole


def test_a_body_without_json_asks_by_its_query() -> None:
    request = raw_request("answer, output,answer", Wanted(2))
    assert [each.name for each in request.outputs or ()] == ["answer", "output"]
    assert (request.rows, request.by_row, request.first_element(0)) == (1, True, 0)
    assert raw_request("", Wanted()).outputs is None
    with pytest.raises(LimitError):
        raw_request(",".join(map(str, range(65))), Wanted())


def test_lengths_of_the_json() -> None:
    assert header_length(None, 10) is None
    assert [header_length(text, 200) for text in ("0", "200", "007")] == [0, 200, 7]
    assert header_length(str(MAX_INFERENCE_HEADER_BYTES), 0) == MAX_INFERENCE_HEADER_BYTES
    with pytest.raises(LimitError):
        header_length(str(MAX_INFERENCE_HEADER_BYTES + 1), 0)
    with pytest.raises(LimitError):
        header_length("9" * 5000, 0)
    with pytest.raises(BodyError):
        header_length("201", 200)


def test_names_are_split_points_or_their_parts() -> None:
    shapes: dict[str, Any] = {"input": ((3,),), "neck": ((2,), (3,)), "odd[0]": ((4,),), "odd": ((1,), (2,))}
    assert input_names("neck", 2) == ["neck[0]", "neck[1]"]
    assert split_point_of(["input"], shapes) == ("input", [0])
    assert split_point_of(["neck[1]", "neck[0]"], shapes) == ("neck", [1, 0])
    assert split_point_of(["odd[0]"], shapes) == ("odd[0]", [0])  # a split point's own name goes first
    for names, error in (
        (["neck"], SplitPointError),
        (["neck[2]"], SplitPointError),
        (["neck[0]"], ShapeError),
        (["input", "neck[0]"], ShapeError),
        (["[0]"], SplitPointError),
        (["]"], SplitPointError),
    ):
        with pytest.raises(error):
            split_point_of(names, shapes)
