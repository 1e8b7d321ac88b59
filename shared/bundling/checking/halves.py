"""OpenVINO's halves of a network that is being bundled, in float32 or int8. Nothing is held: each is compiled for one use."""

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

    def __init__(
        self, model: ov.Model, partition: Partition, batch: int | None, *, in_integers: bool = False
    ) -> None:
        """`model` has the results of docs/bundle.md; `batch` is 1 or None, for any. `in_integers`: of an int8 bundle."""
        self._model = model
        self._partition = partition
        self._one_by_one = batch == 1
        self._in_integers = in_integers

    def head(self, point: SplitPoint, pictures: Tensors) -> Tensors:
        """What crosses at `point`, (B, *shape), for normalised pictures (B, C, H, W)."""
        return point.values(self._shaped(self._run(self._partition.ends[0], point, pictures), point))

    def one_by_one(self, point: SplitPoint, pictures: Tensors) -> Tensors:
        """The same as `head`, with one picture at a time."""
        model = cut(self._model, self._partition.ends[0], point, one_by_one=self._one_by_one)
        compiled = self._compiled(model)
        rows = [
            _infer(compiled, tuple(tensor[index : index + 1] for tensor in pictures))
            for index in range(len(pictures[0]))
        ]
        together = tuple(np.concatenate(tensors) for tensors in zip(*rows, strict=True))
        return point.values(self._shaped(together, point))

    def tail(self, point: SplitPoint, crossing: Tensors) -> Tensors:
        """The outputs for what crosses at `point`."""
        return self._shaped(self._run(point, self._partition.ends[1], crossing), self._partition.ends[1])

    def crossings(self, pictures: Tensors) -> Mapping[str, Tensors]:
        """What crosses at every split point, in float32, and the outputs."""
        if self._in_integers:  # one more result changes how OpenVINO fuses operations, and so how it rounds
            return {
                point.name: self.head(point, pictures)
                for point in self._partition.points.values()
                if point.name != INPUT
            }
        values = iter(self._infer(self._compiled(self._model), pictures))
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
        given = start.native(given)
        model = cut(self._model, start, end, one_by_one=self._one_by_one)
        computed = self._infer(self._compiled(model), given)
        return joined(computed, given, passed(self._model, start, end))

    def _infer(self, compiled: ov.CompiledModel, given: Tensors) -> Tensors:
        if not self._one_by_one:
            return _infer(compiled, given)
        rows = [
            _infer(compiled, tuple(tensor[index : index + 1] for tensor in given))
            for index in range(len(given[0]))
        ]
        return tuple(np.stack(tensors) for tensors in zip(*rows, strict=True))

    def _compiled(self, model: ov.Model) -> ov.CompiledModel:
        options = {} if self._in_integers else without_integers(model)
        try:
            return core().compile_model(model, "CPU", _OPTIONS | options)
        except RuntimeError as error:
            raise ModelError(f"openvino cannot compile this network: {first_line(error)}") from error


def _infer(compiled: ov.CompiledModel, given: Tensors) -> Tensors:
    try:
        request = compiled.create_infer_request()
        request.infer(list(given))
    except RuntimeError as error:
        raise ModelError(f"openvino cannot run this network: {first_line(error)}") from error
    return tuple(request.get_output_tensor(index).data.copy() for index in range(len(compiled.outputs)))
