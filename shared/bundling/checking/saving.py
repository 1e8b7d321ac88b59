"""A network's graph and its split points as they lie in a bundle."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from shared.bundling.messages import first_line
from shared.engines.openvino.runtime import ov
from shared.errors import ModelError

if TYPE_CHECKING:
    from pathlib import Path

    from shared.network.partition import SplitPoint


def entry_of(point: SplitPoint) -> dict[str, object]:
    """A split point in bundle.json."""
    entry: dict[str, object] = {
        "name": point.name,
        "shapes": [list(shape) for shape in point.shapes],
        "head_macs": point.head_macs,
        "tail_macs": point.tail_macs,
    }
    if point.is_quantised:
        entry["grids"] = [grid._asdict() if grid else None for grid in point.grids]
    return entry


def save_model(model: ov.Model, path: Path) -> None:
    """Write network.xml and network.bin. Raises ModelError."""
    try:
        ov.save_model(model, path, compress_to_fp16=False)
    except RuntimeError as error:  # OpenVINO's own, which does not say that a disk is full
        free = shutil.disk_usage(path.parent).free
        raise ModelError(
            f"{path.name} cannot be written: {first_line(error)}; there are {free / 1e6:.0f} MB free in {path.parent.parent}"
        ) from error
