"""The task `segment`, as the registry knows it, and how its outputs are recognised."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from shared.tasks.kind import Kind
from shared.tasks.options import Options
from shared.tasks.segmentation.segment import AnyMap, Layout, make_segment
from shared.tasks.spec import ACTIVATIONS, TaskSpec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from shared.network.partition import Shape
    from shared.tasks.seen import Seen
    from shared.tasks.spec import Activation, Option

_COARSEST = 8
"""Pixels of the input for one of the map: a coarser one is more likely a feature."""
_MOST_CLASSES = 512
_FEW = 3
"""Channels up to here may as well be colours or directions, if nothing says that they are classes."""
_SUM_TOLERANCE = 0.02


def _recognise(seen: Seen) -> list[TaskSpec]:
    maps = [index for index, shape in enumerate(seen.shapes) if _is_map(seen, index, shape)]
    named = [index for index in maps if seen.names[index] == "out"]  # torchvision's, beside an auxiliary one
    if len(named or maps) != 1 or len(maps) != len(seen.shapes):
        return []
    return [_told(seen, {"output": (named or maps)[0]})]


def _is_map(seen: Seen, index: int, shape: Shape) -> bool:
    if len(shape) not in (2, 3) or min(shape[-2:]) == 1 or not _is_as_large(seen.size, shape[-2:]):
        return False
    if len(shape) == 2 or seen.whole[index]:
        return seen.whole[index] and (len(shape) == 2 or shape[0] == 1)
    channels = shape[0]
    if channels == 1:
        return seen.activations[index] == "sigmoid"
    if channels <= _FEW and seen.classes != channels:
        return _are_distributions(seen.samples[index])
    return channels <= _MOST_CLASSES and seen.classes in (0, channels)


def _is_as_large(size: tuple[int, int], shape: Shape) -> bool:
    """Whether a map has the input's aspect, and not many fewer pixels."""
    down, across = (side / length for side, length in zip(size, shape, strict=True))
    return 1 <= max(down, across) <= _COARSEST and abs(down - across) <= 0.1 * max(down, across)


def _are_distributions(values: NDArray[np.float32]) -> bool:
    """Whether values (n, K, h, w) sum up to 1 over the classes."""
    return bool(values.min() >= 0 and np.allclose(values.sum(1), 1, atol=_SUM_TOLERANCE))


def _told(seen: Seen, given: Mapping[str, Option]) -> TaskSpec:
    """Raises ValueError, one line, if the outputs are no map."""
    options = dict(given)
    output = Options(options).whole("output", 0, 0, len(seen.shapes) - 1)
    shape, values = seen.shapes[output], seen.samples[output]
    if len(shape) == 2 or seen.whole[output]:
        options.setdefault("numbers", True)
    wanted = Options(options).choice("activation", ("auto", *ACTIVATIONS), "auto")
    options.pop("activation", None)
    activation: Activation = "sigmoid" if len(shape) == 3 and shape[0] == 1 else "softmax"
    if options.get("numbers") or _is_activated(seen, output, values):
        activation = "none"
    activation = next((word for word in ACTIVATIONS if word == wanted), activation)
    spec = TaskSpec("segment", activation, tuple(sorted(options.items())))
    Layout(spec).check(seen.shapes)
    return spec


def _is_activated(seen: Seen, output: int, values: NDArray[np.float32]) -> bool:
    if seen.activations[output] != "none":
        return True
    return values.ndim == 4 and values.shape[1] > 1 and _are_distributions(values)


def _classes(spec: TaskSpec, seen: Seen) -> int | None:
    """Where the values are numbers, as many as have a name, or as occurred."""
    counted = Layout(spec).check(seen.shapes)
    if counted is None:
        output = Layout(spec).output
        return max(seen.classes, int(seen.samples[output].max()) + 1, 256 if not seen.classes else 0)
    return counted


def _assumed(spec: TaskSpec, seen: Seen) -> str | None:
    """Values for K channels may be anything, unless there are K names or they are probabilities."""
    if spec.activation == "none" or seen.classes:
        return None
    (shape,) = seen.shapes[:1]
    return (
        f"the output is taken for the values of {shape[0]} classes at each pixel, as it has no fewer pixels than an eighth of the "
        "picture's in each direction; if it is something else: --task raw"
    )


SEGMENT = Kind(
    make=make_segment,
    reader=AnyMap,
    key="runs",
    recognise=_recognise,
    told=_told,
    classes=_classes,
    assumed=_assumed,
)
