"""What the reference computes of the probe pictures: the oracle of a bundle's checks, and the content of probe.safetensors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from safetensors.numpy import save

from shared.bundling.checking.probe import sample, scaled_half
from shared.bundling.sources.rows import filled
from shared.engines.probe import tensor_keys
from shared.network.partition import INPUT, OUTPUT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from shared.bundling.checking.halves import Halves
    from shared.bundling.sources.source import Reference
    from shared.engines.half import Tensors
    from shared.network.partition import SplitPoint


class Answers:
    """Crossings and outputs for the probe pictures: the reference's, and OpenVINO's where the reference cannot cut."""

    def __init__(
        self,
        halves: Halves,
        reference: Reference | None,
        pictures: NDArray[np.uint8],
        tensors: NDArray[np.float32],
        filled_up: Mapping[int, int],
        selected: tuple[int, ...],
    ) -> None:
        """`pictures` (2, h, w, 3) RGB, and `tensors` (2, C, h, w), the same normalised; `filled_up` are the axes of `Filled`.

        `selected`: the outputs whose rows the graph has selected.
        """
        self._halves = halves
        self._reference = reference
        self.filled_up = filled_up
        self.selected = selected
        self.pictures = pictures
        self.tensors = tensors
        self.crossings: dict[str, Tensors] = dict(halves.crossings((tensors,)))
        self.own_outputs = self.crossings[OUTPUT]
        """OpenVINO's."""
        for name, values in (reference.crossings((tensors,)) if reference else {}).items():
            if name in self.crossings:
                self.crossings[name] = tuple(
                    _in_shape_of(value, own, may_differ=name == OUTPUT and number in filled_up)
                    for number, (value, own) in enumerate(zip(values, self.crossings[name], strict=True))
                )

    @property
    def outputs(self) -> Tensors:
        """The reference's outputs."""
        return self.crossings[OUTPUT]

    def tail(self, point: SplitPoint, crossing: Tensors) -> Tensors:
        """The reference's outputs for what crosses at `point`."""
        found = self._reference.tail(point, crossing) if self._reference else None
        return found if found is not None else self._halves.tail(point, crossing)

    def save(
        self,
        path: Path,
        points: Sequence[SplitPoint],
        chosen: Sequence[SplitPoint],
        more: Mapping[str, NDArray[np.generic]] | None = None,
    ) -> None:
        """Write probe.safetensors: samples at all `points`, inputs and outputs of the tails at `chosen` ones, and `more` by name."""
        stored: dict[str, NDArray[np.generic]] = {"pictures": self.pictures, **(more or {})}
        for point in points:
            if point.name not in (INPUT, OUTPUT):
                for key, tensor in zip(tensor_keys(point), self.crossings[point.name], strict=True):
                    stored[f"sample/{key}"] = sample(tensor)
        for index, output in enumerate(self.outputs):
            stored[f"outputs/{index}"] = output
        if self.selected:
            stored["selected"] = np.array(self.selected, np.int64)
        for point in chosen:
            given = []
            for key, tensor, shape in zip(
                tensor_keys(point), self.crossings[point.name], point.shapes, strict=True
            ):
                half, scale = scaled_half(tensor.reshape(len(tensor), *shape))
                stored[f"given/{key}"] = half
                stored[f"scale/{key}"] = np.array(scale, np.float32)
                given.append(half.astype(np.float32) * scale)
            for index, answer in enumerate(self.tail(point, tuple(given))):
                stored[f"answers/{point.name}/{index}"] = answer
        # save_file() would make a file that only its owner can read.
        path.write_bytes(save({name: np.ascontiguousarray(value) for name, value in stored.items()}))


def _in_shape_of(
    value: NDArray[np.float32], own: NDArray[np.float32], *, may_differ: bool
) -> NDArray[np.float32]:
    """The reference's value without the 1s that OpenVINO's lacks; a value of another size is filled up if it `may_differ`.

    Else it remains, and fails its check.
    """
    if may_differ:
        if value.ndim == own.ndim + 1 and value.shape[1] == 1:
            value = value[:, 0]
        return filled(value, own.shape) if value.ndim == own.ndim else value
    return value.reshape(own.shape) if value.size == own.size else value
