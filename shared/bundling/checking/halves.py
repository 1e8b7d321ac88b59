"""OpenVINO's halves of a network that is being bundled, in float32. Nothing is held: each is compiled for one use."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from shared.bundling.messages import first_line
from shared.engines.openvino.network import cut, joined, passed
from shared.engines.openvino.runtime import core, ov, without_integers
from shared.errors import ModelError
from shared.network.partition import INPUT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shared.engines.half import Tensors
    from shared.network.partition import Partition, SplitPoint

_OPTIONS = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}


class Halves:
    """Heads and tails of a bundle's model."""

    def __init__(self, model: ov.Model, partition: Partition, batch: int | None) -> None:
        """`model` has the results of docs/bundle.md; `batch` is 1 or None, for any."""
        self._model = model
        self._partition = partition
        self._one_by_one = batch == 1

    def head(self, point: SplitPoint, pictures: Tensors) -> Tensors:
        """What crosses at `point`, (B, *shape), for normalised pictures (B, C, H, W)."""
        return self._shaped(self._run(self._partition.ends[0], point, pictures), point)

    def tail(self, point: SplitPoint, crossing: Tensors) -> Tensors:
        """The outputs for what crosses at `point`."""
        return self._shaped(self._run(point, self._partition.ends[1], crossing), self._partition.ends[1])

    def crossings(self, pictures: Tensors) -> Mapping[str, Tensors]:
        """What crosses at every split point, and the outputs, in one run of the whole network."""
        values = iter(self._infer(_compiled(self._model), pictures))
        count = len(pictures[0])
        return {
            point.name: tuple(next(values).reshape(count, *shape) for shape in point.shapes)
            for point in self._partition.points.values()
            if point.name != INPUT
        }

    @staticmethod
    def _shaped(values: Tensors, point: SplitPoint) -> Tensors:
        return tuple(
            value.reshape(len(value), *shape) for value, shape in zip(values, point.shapes, strict=True)
        )

    def _run(self, start: SplitPoint, end: SplitPoint, given: Tensors) -> Tensors:
        computed = self._infer(_compiled(cut(self._model, start, end, one_by_one=self._one_by_one)), given)
        return joined(computed, given, passed(self._model, start, end))

    def _infer(self, compiled: ov.CompiledModel, given: Tensors) -> Tensors:
        if not self._one_by_one:
            return _infer(compiled, given)
        rows = [
            _infer(compiled, tuple(tensor[index : index + 1] for tensor in given))
            for index in range(len(given[0]))
        ]
        return tuple(np.stack(tensors) for tensors in zip(*rows, strict=True))


def _compiled(model: ov.Model) -> ov.CompiledModel:
    try:
        return core().compile_model(model, "CPU", _OPTIONS | without_integers(model))
    except RuntimeError as error:
        raise ModelError(f"openvino cannot compile this network: {first_line(error)}") from error


def _infer(compiled: ov.CompiledModel, given: Tensors) -> Tensors:
    try:
        request = compiled.create_infer_request()
        request.infer(list(given))
    except RuntimeError as error:
        raise ModelError(f"openvino cannot run this network: {first_line(error)}") from error
    return tuple(request.get_output_tensor(index).data.copy() for index in range(len(compiled.outputs)))
