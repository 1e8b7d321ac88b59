"""Inference requests that are JSON altogether, in the form of `read_tensors`: the small process that reads large bodies has both."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloud.bodies.inference.fields import ACCEPTED
from cloud.bodies.inference.names import split_point_of
from cloud.bodies.inference.request import emptied, parse_request
from cloud.bodies.inference.tensors import listed, require_rows, values
from cloud.bodies.json.body import Tensors, parse_object
from shared.errors import BodyError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cloud.bodies.json.body import Shape
    from shared.wire.frame import Bytes


def read_inference(
    body: Bytes, shapes: Mapping[str, tuple[Shape, ...]], default: str, max_tensors: int
) -> Tensors:
    """Read a request of at most `max_tensors` rows; its JSON object without the numbers is the result's `count`. Raises RequestError."""
    del default  # an input's name says where it crosses
    fields = parse_object(body, ACCEPTED)
    request = parse_request(fields)
    for each in request.inputs:
        if each.size is not None:
            raise BodyError(
                f"input {each.name} has a binary_data_size, and the request no Inference-Header-Content-Length"
            )
    require_rows(request, max_tensors)
    split_point, order = split_point_of([each.name for each in request.inputs], shapes)
    arrays = []
    for place, shape in zip(order, shapes[split_point], strict=True):
        each = request.inputs[place]
        arrays.append(values(each, listed(each), shape, symbols=False))
    return Tensors(split_point, tuple(arrays), emptied(fields))
