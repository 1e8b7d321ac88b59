"""How much of a float network's answers an int8 one keeps, and how much faster it is."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from shared.bundling.messages import first_line
from shared.engines.choosing.timing import Timer
from shared.engines.openvino.runtime import core, ov, without_integers
from shared.engines.telling import single, stacked, telling_task
from shared.errors import ModelError
from shared.tasks.agreement import joined, wilson

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from shared.engines.half import Half, Tensors
    from shared.network.model import Model

_BATCH = 8
_OPTIONS = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}


class Kept(NamedTuple):
    """What is kept of the answers to some pictures."""

    agreement: float
    """0 … 1: of classes, the share of pictures with the same top class; of boxes, F1."""
    low: float
    high: float
    """The 95 % interval of it (Wilson, 1927)."""
    divergence: float
    pictures: int


class Judge:
    """Compares networks with the float one, on pictures whose answers it has."""

    def __init__(self, network: Model, whole: Half, pictures: Sequence[NDArray[np.uint8]]) -> None:
        """`whole` is the float network; `pictures` (height, width, 3) uint8 RGB, at least one."""
        self._recipe = network.recipe
        self._pictures = pictures
        self.expected: Tensors = stacked([whole((self._tensor(picture),)) for picture in pictures])
        """The float network's outputs, each (n, …)."""
        self._task = telling_task(network, len(pictures), partial(single, self.expected))
        self.unit = self._task.divergence_unit

    def judge(self, whole: Half, show: Callable[[int, int], object] = lambda *_: None) -> Kept:
        """What another network keeps; `show(done, total)`."""
        agreements, divergences = [], []
        for start in range(0, len(self._pictures), _BATCH):
            show(start, len(self._pictures))
            part = self._pictures[start : start + _BATCH]
            found = stacked([whole((self._tensor(picture),)) for picture in part])
            expected = tuple(each[start : start + _BATCH] for each in self.expected)
            agreements.append(self._task.agreement(expected, found))
            divergences.append(self._task.divergence(expected, found))
        agreement = joined(agreements)
        low, high = wilson(agreement.share, agreement.size)
        return Kept(
            agreement.share, low, high, float(np.concatenate(divergences).mean()), len(self._pictures)
        )

    def held(self, most_bytes: int, most: int) -> dict[str, NDArray[np.generic]]:
        """Pictures and their answers for a bundle's probe, spread over all: as many as fit, at least two."""
        each = self._pictures[0].nbytes + sum(output[:1].nbytes for output in self.expected)
        count = min(len(self._pictures), max(2, min(most, most_bytes // each)))
        places = np.linspace(0, len(self._pictures) - 1, count).astype(int)
        outputs = {
            f"held_out/outputs/{number}": output[places] for number, output in enumerate(self.expected)
        }
        return {"held_out/pictures": np.stack([self._pictures[place] for place in places]), **outputs}

    def _tensor(self, picture: NDArray[np.uint8]) -> NDArray[np.float32]:
        return self._recipe.normalise(picture)[None]


def whole_of(model: ov.Model, shapes: Sequence[tuple[int, ...]], *, in_integers: bool) -> Half:
    """A network of one input as a function of one picture. `shapes`: its outputs', without the batch dimension. Raises ModelError."""
    options = {} if in_integers else without_integers(model)
    try:
        request = core().compile_model(model, "CPU", _OPTIONS | options).create_infer_request()
    except RuntimeError as error:
        raise ModelError(f"openvino cannot compile this network: {first_line(error)}") from error

    def run(tensors: Tensors) -> Tensors:
        request.set_input_tensor(0, ov.Tensor(np.ascontiguousarray(tensors[0])))
        request.infer()
        return tuple(
            request.get_output_tensor(number).data.reshape(1, *shape).astype(np.float32)
            for number, shape in enumerate(shapes)
        )

    return run


def speed_gain(in_float: Half, in_int8: Half, tensor: NDArray[np.float32], threads: int) -> float:
    """How many times faster the second is, on one picture (1, C, H, W), timed in turn."""
    times = (
        Timer()
        .measure({"float32": lambda: in_float((tensor,)), "int8": lambda: in_int8((tensor,))}, threads)
        .times
    )
    return times["float32"].minimum / times["int8"].minimum
