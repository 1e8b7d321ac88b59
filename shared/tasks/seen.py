"""What is seen of a network's outputs when its bundle is made: from this a task is recognised."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from shared.engines.half import Tensors
    from shared.network.partition import Shape


@dataclass(frozen=True, eq=False)
class Seen:
    """The outputs, in the network's order, without the batch dimension."""

    names: tuple[str, ...]
    shapes: tuple[Shape, ...]
    samples: Tensors
    """Their values for n pictures, each (n, *shape)."""
    size: tuple[int, int]
    """(height, width) of the network's input."""
    activations: tuple[str, ...]
    """What each output ends with: `softmax`, `sigmoid` or `none`."""
    whole: tuple[bool, ...]
    """Whether the graph computes each output in whole numbers."""
    classes: int = 0
    """How many classes have a name; 0 if none has."""
    said: Mapping[str, str] = field(default_factory=dict)
    """What the file says of itself: an exporter's metadata."""
    constants: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    """Outputs that do not depend on the picture, such as prior boxes: by name, without the batch dimension."""
