"""Small OpenVINO graphs, built by hand, and how to run them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from shared.engines.openvino.runtime import core, operations, ov

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

CHANNELS = 3
SIDE = 8


def picture(
    shape: Sequence[int] = (-1, CHANNELS, SIDE, SIDE), kind: Any = np.float32, name: str = "picture"
) -> ov.Node:
    """An input."""
    given = operations.parameter(list(shape), kind)
    given.set_friendly_name(name)
    return given


def constant(*shape: int, kind: Any = np.float32, seed: int = 0) -> ov.Node:
    """Random values of variance 1."""
    return operations.constant(np.random.default_rng(seed).normal(size=shape).astype(kind))


def convolution(value: ov.Node, inputs: int, outputs: int, name: str, kind: Any = np.float32) -> ov.Node:
    """A 3x3 convolution of stride 1."""
    weights = constant(outputs, inputs, 3, 3, kind=kind, seed=len(name))
    return operations.convolution(value, weights, [1, 1], [1, 1], [1, 1], [1, 1], name=name)


def residual(given: ov.Node, kind: Any = np.float32) -> ov.Node:
    """Named operations: stem, left (beside which the stem is still needed), add, pool, fc: (B, 5)."""
    stem = convolution(given, CHANNELS, 4, "stem", kind)
    left = operations.relu(convolution(stem, 4, 4, "left", kind), name="relu")
    added = operations.add(stem, left, name="add")
    pooled = operations.reduce_mean(added, operations.constant([2, 3]), keep_dims=False, name="pool")
    return operations.matmul(pooled, constant(4, 5, kind=kind), False, False, name="fc")


def model(given: ov.Node | list[ov.Node], *outputs: ov.Node) -> ov.Model:
    """A model with a result for each output."""
    parameters = given if isinstance(given, list) else [given]
    return ov.Model([operations.result(each) for each in outputs], parameters, "tiny")


def save(graph: ov.Model, path: Path, model_info: dict[str, str] | None = None) -> Path:
    """Write an OpenVINO file with metadata of the Model API."""
    for key, value in (model_info or {}).items():
        graph.set_rt_info(value, ["model_info", key])
    ov.save_model(graph, path, compress_to_fp16=False)
    return path


def run(graph: ov.Model, *given: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """The outputs in float32."""
    compiled = core().compile_model(graph, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return list(compiled(list(given)).values())


def pictures(count: int, *shape: int) -> NDArray[np.float32]:
    """Random inputs."""
    return (
        np.random.default_rng(1).normal(size=(count, *(shape or (CHANNELS, SIDE, SIDE)))).astype(np.float32)
    )
