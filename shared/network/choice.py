"""Which network a process is to run, as the settings name it."""

from __future__ import annotations

from dataclasses import dataclass

CLOUD = "cloud"
"""As an edge's `--model`: what its cloud runs. A folder of that name is `./cloud`."""
NAMED_SECONDS = 900.0
"""Seconds that the download of weights that were named may take."""
RANDOM_WEIGHTS = (
    "weights=auto: no pretrained weights (%s); continuing with random ones (seed %d): speed and bytes are real, the answers mean "
    "nothing. For real answers give --weights a file or a name"
)
"""The warning of whoever takes random weights unasked: the reason, the seed."""


@dataclass(frozen=True)
class NetworkChoice:
    """A source of a bundle, and what it depends on. Not yet checked."""

    model: str
    """A bundle's folder, a torchvision name, `timm:NAME`, `file.py:build`, `package.module:build`, or an ONNX, OpenVINO or tflite file."""
    weights: str = "auto"
    """`auto`, `random`, a name of torchvision's weights API, or the path of a state dict; only for networks from torch."""
    seed: int = 0
    """For random weights."""
    labels: str | None = None
    """A file with the classes' names."""
    recipe: str | None = None
    """Changes to the source's own recipe: `size=320x240,fit=letterbox`; see `shared.network.recipe.parse_recipe`."""
    task: str | None = None
    """What the outputs mean, where that is not seen in the graph or is to be otherwise: `detect:form=yolov8,threshold=0.3`."""
