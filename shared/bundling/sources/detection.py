"""How OpenVINO computes the operators of shared/torch_network/detection/operators.py, for any number of pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from shared.engines.openvino.runtime import operations, translation
from shared.torch_network.detection.operators import OUT

if TYPE_CHECKING:
    from shared.engines.openvino.runtime import ov

_WHOLE = "i64"


def extensions() -> list[Any]:
    """For `convert_model`."""
    return [translation("splitdnn::apart", _apart), translation("splitdnn::pooled", _pooled)]


def _apart(node: Any) -> list[ov.Output]:
    boxes, scores = node.get_input(0), node.get_input(1)
    most_overlap = node.get_values_from_const_input(2)
    kept = operations.non_max_suppression(
        boxes,
        scores,
        _number(2**31 - 1),  # boxes of each group
        # OpenVINO also drops what overlaps by exactly this much.
        operations.constant(np.nextafter(np.float32(most_overlap), np.float32(np.inf))),
        operations.constant(np.float32(OUT)),
        box_encoding="corner",
        sort_result_descending=False,
        output_type=_WHOLE,
    ).output(0)  # (k, 3): picture, group, box; rows of -1 where there are fewer than it has room for
    shape = operations.shape_of(boxes, _WHOLE)
    pictures, count = _part(shape, 0), _part(shape, 1)
    room = operations.concat([pictures, operations.add(count, _numbers(1))], 0)
    nobody = operations.concat([_numbers(0), count], 0)  # a column for the rows of -1
    places = operations.gather(kept, _numbers(0, 2), _number(1))
    places = operations.select(operations.less(places, _number(0)), nobody, places)
    # All 1, and no question for a size that only a picture has.
    ones = operations.convert(
        operations.greater_equal(operations.gather(places, _number(0), _number(1)), _number(0)), "f32"
    )
    zeros = operations.broadcast(operations.constant(np.float32(0)), room)
    marked = operations.scatter_nd_update(zeros, places, ones)
    return [operations.slice(marked, _numbers(0), count, _numbers(1), _numbers(1)).output(0)]


def _pooled(node: Any) -> list[ov.Output]:
    maps, rois, taken = (node.get_input(number) for number in range(3))
    scale, height, width, points = (node.get_values_from_const_input(number) for number in range(3, 7))
    rows = operations.reshape(operations.non_zero(taken, _WHOLE), _numbers(-1), special_zero=False)
    chosen = operations.gather(rois, rows, _number(0))
    corners = operations.gather(chosen, _numbers(1, 2, 3, 4), _number(1))
    pictures = operations.convert(operations.gather(chosen, _number(0), _number(1)), _WHOLE)
    found = operations.roi_align(
        maps, corners, pictures, int(height), int(width), int(points), float(scale), "avg", "asymmetric"
    )
    shape = operations.concat(
        [
            _part(operations.shape_of(rois, _WHOLE), 0),
            _part(operations.shape_of(maps, _WHOLE), 1),
            _numbers(int(height), int(width)),
        ],
        0,
    )
    zeros = operations.broadcast(operations.constant(np.float32(0)), shape)
    return [operations.scatter_update(zeros, rows, found, _number(0)).output(0)]


def _part(shape: ov.Node, axis: int) -> ov.Node:
    """(1,): one of the numbers of a shape."""
    return operations.gather(shape, _numbers(axis), _number(0))


def _number(value: int) -> ov.Node:
    return operations.constant(np.int64(value))


def _numbers(*values: int) -> ov.Node:
    return operations.constant(np.array(values, np.int64))
