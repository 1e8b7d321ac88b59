"""Networks from torch: converted by OpenVINO, cut where torch.fx cuts them."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np
import torch

from shared.bundling.checking.probe import probe_pictures
from shared.bundling.graph.names import WRAPPED
from shared.bundling.messages import first_line
from shared.bundling.sources.converter_log import own_log
from shared.bundling.sources.detection import extensions
from shared.bundling.sources.source import Source
from shared.engines.openvino.runtime import VERSION, convert_model, core, ov
from shared.errors import ModelError
from shared.network.partition import OUTPUT
from shared.torch_network.graph.outputs import flatten
from shared.torch_network.messages import reason
from shared.torch_network.partition import TorchPartition
from shared.torch_network.source import build

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shared.engines.half import Tensors
    from shared.network.choice import NetworkChoice
    from shared.network.partition import SplitPoint
    from shared.network.recipe import Recipe


_ANOTHER_WAY = 0.05
"""A relative error that no rounding explains."""


class TracedReference:
    """A module that torch.fx cuts."""

    name = "torch"

    def __init__(self, partition: TorchPartition) -> None:
        self._partition = partition
        self.outputs = partition.outputs

    def crossings(self, pictures: Tensors) -> Mapping[str, Tensors]:
        """Everything that crosses, as fx cuts it."""
        names = list(self._partition.points)[:-1]
        values = _run(self._partition.crossings(), pictures)
        inner = {name: (value,) for name, value in zip(names, values, strict=False)}
        return {**inner, OUTPUT: values[len(names) :]}

    def tail(self, point: SplitPoint, crossing: Tensors) -> Tensors | None:
        """The outputs, if this is one of fx's split points."""
        if point.name not in self._partition.points:
            return None
        return _run(self._partition.tail(self._partition.point(point.name)), crossing)


class ModuleReference:
    """A module that only runs as a whole."""

    name = "torch"

    def __init__(self, module: torch.nn.Module, shape: tuple[int, ...]) -> None:
        """Runs `module` once on a picture of `shape`. Raises ModelError."""
        try:
            with torch.inference_mode():
                returned = flatten(module(torch.zeros(1, *shape)), torch.Tensor)
        except Exception as error:
            raise ModelError(f"the network cannot take a picture {(1, *shape)}: {reason(error)}") from error
        if not returned:
            raise ModelError("the network returns no tensor")
        paths = list(returned)
        self.outputs = (OUTPUT,) if paths == [""] else tuple(paths)
        self.module = _Flat(module, paths)

    def crossings(self, pictures: Tensors) -> Mapping[str, Tensors]:
        """Only the outputs, of one picture at a time: that much every network can do."""
        rows = [_run(self.module, (picture[None],)) for picture in pictures[0]]
        return {OUTPUT: tuple(np.stack(tensors) for tensors in zip(*rows, strict=True))}

    def tail(self, point: SplitPoint, crossing: Tensors) -> Tensors | None:
        """None: it cannot be cut."""
        del point, crossing
        return None


class _Flat(torch.nn.Module):
    """A module that returns a tuple of its tensors, whatever they were wrapped in."""

    def __init__(self, module: torch.nn.Module, paths: list[str]) -> None:
        super().__init__()
        setattr(self, WRAPPED, module)
        self._paths = paths

    def forward(self, pictures: torch.Tensor) -> tuple[torch.Tensor, ...]:
        returned = flatten(getattr(self, WRAPPED)(pictures), torch.Tensor)
        return tuple(returned[path] for path in self._paths)


def _run(module: torch.nn.Module, tensors: Tensors) -> Tensors:
    with torch.inference_mode():
        values = module(*map(torch.from_numpy, tensors))
    return tuple(value.float().numpy() for value in values)


def from_torch(choice: NetworkChoice, *, patience_s: float) -> Source:
    """Build and convert. Raises ModelError."""
    network = build(choice, patience_s=patience_s)
    shape = network.recipe.tensor_shape
    notes = network.notes
    known: tuple[SplitPoint, ...] = ()
    reference: TracedReference | ModuleReference
    try:
        partition = TorchPartition(network.module, shape)
        notes += partition.notes
    except ModelError as error:
        reference = ModuleReference(network.module, shape)
        notes += (f"{error}; its split points are those that its OpenVINO graph shows",)
        model = convert_module(reference.module, shape)
        _require_one_way(model, reference, network.recipe)
    else:
        reference = TracedReference(partition)
        known = tuple(partition.points.values())[:-1]
        model = convert_module(partition.crossings(), shape)
    return Source(
        name=network.name,
        weights=network.weights,
        model=model,
        outputs=reference.outputs,
        recipe=network.recipe,
        labels=network.labels,
        origin=network.source,
        reference=reference,
        fingerprint=network.fingerprint,
        notes=notes,
        known=known,
        task=network.task,
        made_with={"torch": torch.__version__, "openvino": VERSION},
    )


def _require_one_way(model: ov.Model, reference: ModuleReference, recipe: Recipe) -> None:
    """Raise ModelError if the graph holds for some pictures only: the tracer takes one of the ways that the network's code has."""
    pictures = probe_pictures(recipe)
    varied = [np.uint8(255) - pictures, pictures // 16, 255 - pictures // 16, np.roll(pictures, 1, axis=-1)]
    tensors = np.stack([recipe.normalise(picture) for picture in np.concatenate(varied)])
    try:
        expected = reference.crossings((tensors,))[OUTPUT]
        compiled = core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
        rows = [list(compiled(tensor[None]).values()) for tensor in tensors]
    except Exception as error:  # whatever its code does with some picture
        raise ModelError(f"the network does not run on every picture: {first_line(error)}") from error
    for number, wanted in enumerate(expected):
        for row, value in zip(rows, wanted, strict=True):
            length = np.linalg.norm(value)
            if (
                row[number].size != value.size
                or not np.linalg.norm(row[number].ravel() - value.ravel()) <= _ANOTHER_WAY * length + 1e-6
            ):
                raise ModelError(
                    "what this network's code does depends on the picture's values, and a graph does one thing; accepted: a network "
                    "that computes the same for every picture, with torch.where in place of if"
                )


def convert_module(module: torch.nn.Module, shape: tuple[int, ...], batch: int = -1) -> ov.Model:
    """The network as OpenVINO's converter takes it from torch's tracer. Raises ModelError."""
    example = torch.zeros(abs(batch), *shape)
    try:
        with own_log(), warnings.catch_warnings():  # the tracer warns wherever a network looks at a shape
            warnings.simplefilter("ignore")
            return convert_model(module, example_input=example, input=[batch, *shape], extension=extensions())
    except Exception as error:
        raise ModelError(f"openvino cannot take this network: {first_line(error)}") from error
