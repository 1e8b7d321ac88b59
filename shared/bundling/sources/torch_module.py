"""Networks from torch: converted by OpenVINO, cut where torch.fx cuts them."""

from __future__ import annotations

import logging
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import torch

from shared.bundling.messages import first_line
from shared.bundling.sources.source import Source
from shared.engines.openvino.runtime import VERSION, ov
from shared.errors import ModelError
from shared.network.partition import OUTPUT
from shared.torch_network.partition import TorchPartition
from shared.torch_network.source import build

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from shared.engines.half import Tensors
    from shared.network.choice import NetworkChoice
    from shared.network.partition import SplitPoint


class TorchReference:
    """The module itself."""

    name = "torch"

    def __init__(self, partition: TorchPartition) -> None:
        self._partition = partition

    def whole(self, pictures: Tensors) -> Tensors:
        start, end = self._partition.ends
        return _run(self._partition.segment(start, end), pictures)

    def crossings(self, pictures: Tensors) -> Mapping[str, Tensors]:
        names = list(self._partition.points)[:-1]
        values = _run(self._partition.crossings(), pictures)
        return {**{name: (value,) for name, value in zip(names, values, strict=False)}, OUTPUT: values[len(names) :]}

    def tail(self, point: SplitPoint, crossing: Tensors) -> Tensors | None:
        if point.name not in self._partition.points:
            return None
        return _run(self._partition.tail(self._partition.point(point.name)), crossing)


def _run(module: torch.nn.Module, tensors: Tensors) -> Tensors:
    with torch.inference_mode():
        values = module(*map(torch.from_numpy, tensors))
    return tuple(value.numpy() for value in (values if isinstance(values, tuple) else (values,)))


def from_torch(choice: NetworkChoice, *, patience_s: float) -> Source:
    """Build and convert. Raises ModelError."""
    network = build(choice, patience_s=patience_s)
    shape = network.recipe.tensor_shape
    partition = TorchPartition(network.module, shape)
    model = _convert(partition.crossings(), shape)
    return Source(
        name=network.name,
        weights=network.weights,
        model=model,
        outputs=partition.outputs,
        recipe=network.recipe,
        labels=network.labels,
        origin=network.source,
        reference=TorchReference(partition),
        fingerprint=network.fingerprint,
        notes=network.notes,
        known=tuple(partition.points.values())[:-1],
        made_with={"torch": torch.__version__, "openvino": VERSION},
    )


def _convert(module: torch.nn.Module, shape: tuple[int, ...], batch: int = -1) -> ov.Model:
    example = torch.zeros(abs(batch), *shape)
    try:
        with _own_log(), warnings.catch_warnings():  # the tracer warns wherever a network looks at a shape
            warnings.simplefilter("ignore")
            return ov.convert_model(module, example_input=example, input=[batch, *shape])
    except Exception as error:
        raise ModelError(f"openvino cannot take this network: {first_line(error)}") from error


@contextmanager
def _own_log() -> Iterator[None]:
    """Restore the root logger, which OpenVINO's converter changes and leaves changed when it fails."""
    root = logging.getLogger()
    level, handlers, filters = root.level, root.handlers[:], root.filters[:]
    try:
        yield
    finally:
        root.setLevel(level)
        root.handlers[:], root.filters[:] = handlers, filters
