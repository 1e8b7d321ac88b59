"""A small network, and a quantiser for it that is not NNCF: FakeQuantize before convolutions, with ranges that were counted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from shared.engines.openvino.runtime import core, operations, ov

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

SIDE = 24
CLASSES = 6
_RANDOM = 20261129


def network() -> ov.Model:
    """stem ─► relu ─► (left ─► relu ─► right) + itself ─► relu ─► last (signed) ─► mean ─► fc, for any number of pictures."""
    given = operations.parameter([-1, 3, SIDE, SIDE], np.float32)
    given.set_friendly_name("picture")
    stem = operations.relu(_convolution(given, 3, 16, "stem"), name="stem_relu")
    left = operations.relu(_convolution(stem, 16, 16, "left"), name="left_relu")
    added = operations.add(_convolution(left, 16, 16, "right"), stem, name="add")
    body = operations.relu(added, name="body")
    last = _convolution(body, 16, 16, "last")
    end = operations.relu(_convolution(last, 16, 16, "end"), name="end_relu")
    means = operations.reduce_mean(end, operations.constant([2, 3]), keep_dims=False, name="means")
    classes = np.random.default_rng(_RANDOM).normal(0, 2, (16, CLASSES)).astype(np.float32)
    answer = operations.matmul(means, operations.constant(classes), False, False, name="fc")
    return ov.Model([operations.result(answer)], [given], "small")


def pictures(count: int, seed: int = 0) -> list[NDArray[np.uint8]]:
    """Coloured slopes with noise, each another one."""
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[0:SIDE, 0:SIDE] / SIDE
    found = []
    for _ in range(count):
        slopes = random.normal(0, 90, (2, 3))
        shade = rows[..., None] * slopes[0] + columns[..., None] * slopes[1] + random.uniform(40, 215, 3)
        found.append(np.clip(shade + random.normal(0, 10, shade.shape), 0, 255).astype(np.uint8))
    return found


def quantise(
    model: ov.Model,
    tensors: Sequence[NDArray[np.float32]],
    in_float: Sequence[str],
    *,
    attends: bool,
    portable: bool = False,
    show: Callable[[int], object] = lambda _: None,
    levels: int = 256,
) -> ov.Model:
    """As `shared.bundling.int8.quantiser.quantise`. Every user of a value gets a FakeQuantize of its own, as NNCF has it."""
    assert not attends
    assert not portable
    ranges = _ranges(model, tensors, show)
    quantised = model.clone()
    for node in quantised.get_ordered_ops():
        name = node.get_friendly_name()
        if node.get_type_name() != "Convolution" or name in in_float:
            continue
        low, high = ranges[node.input_value(0).get_node().get_friendly_name()]
        if low < 0:  # signed: an even step on both sides of 0
            step = max(-low / 128, high / 127)
            low, high = -128 * step, 127 * step
        _insert(node.input(0), low, high, levels)
        largest = float(np.abs(node.input_value(1).get_node().data).max())
        _insert(node.input(1), -largest, largest, 255)
    for node in quantised.get_ordered_ops():
        if node.get_type_name() == "Add" and node.get_friendly_name() == "add" and "right" not in in_float:
            source = node.input_value(1).get_node()
            _insert(node.input(1), *ranges[source.get_friendly_name()], 256)
    return quantised


def _convolution(value: ov.Node, inputs: int, outputs: int, name: str) -> ov.Node:
    weights = np.random.default_rng(_RANDOM + len(name)).normal(
        0, (9 * inputs) ** -0.5, (outputs, inputs, 3, 3)
    )
    return operations.convolution(
        value, operations.constant(weights.astype(np.float32)), [1, 1], [1, 1], [1, 1], [1, 1], name=name
    )


def _insert(place: Any, low: float, high: float, levels: int) -> None:
    ends = [operations.constant(np.float32(end)) for end in (low, high)]
    place.replace_source_output(
        operations.fake_quantize(place.get_source_output(), *ends, *ends, levels).output(0)
    )


def _ranges(
    model: ov.Model, tensors: Sequence[NDArray[np.float32]], show: Callable[[int], object]
) -> dict[str, tuple[float, float]]:
    """The lowest and highest value of the first output of each operation on the picture."""
    looked = model.clone()
    nodes = [
        node
        for node in looked.get_ordered_ops()
        if node.get_type_name() in ("Parameter", "Convolution", "Relu", "Add")
    ]
    results = [operations.result(node.output(0)) for node in nodes]
    compiled = core().compile_model(ov.Model(results, looked.get_parameters(), "looked at"), "CPU")
    found = {node.get_friendly_name(): (0.0, 0.0) for node in nodes}
    for number, tensor in enumerate(tensors):
        show(number + 1)
        request = compiled.create_infer_request()
        request.infer([tensor[None]])
        for place, node in enumerate(nodes):
            values, name = request.get_output_tensor(place).data, node.get_friendly_name()
            found[name] = min(found[name][0], float(values.min())), max(found[name][1], float(values.max()))
    return found
