"""What a file says of the pictures that its network was trained with, and of its classes.

Three dialects are read: OpenVINO's Model API (`model_info` of an IR; in ONNX files, keys that begin with `model_info`), Ultralytics'
exports (`task`, `imgsz`, `names`), and the picture metadata of the ONNX specification (`Image.BitmapPixelFormat`).
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from shared.limits import MAX_LABELS

if TYPE_CHECKING:
    from collections.abc import Mapping

_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
_PREFIX = "model_info "
_TRUE = ("yes", "true", "1")
_FITS = {
    "standard": "stretch",
    "fit_to_window": "letterbox",
    "fit_to_window_letterbox": "letterbox",
    "crop": "crop",
}
_INTERPOLATIONS = {"LINEAR": "bilinear", "CUBIC": "bicubic", "NEAREST": "nearest"}
_PIXEL_FORMATS = {"Rgb8": "RGB", "Bgr8": "BGR", "Gray8": "GRAY", "Rgba8": "RGB", "Bgra8": "BGR"}
_PIXEL_RANGES: dict[str, dict[str, Any]] = {
    "NominalRange_0_255": {"scale": 1.0},
    "Normalized_0_1": {"scale": 255.0},
    "Normalized_1_1": {"scale": 255.0, "mean": (0.5,) * 3, "std": (0.5,) * 3},
}


@dataclass(frozen=True)
class Said:
    """What the metadata says; what it does not say is absent."""

    dialect: str | None = None
    """Whose metadata it is, for people."""
    recipe: Mapping[str, Any] = field(default_factory=dict)
    """Fields of Recipe, without width and height."""
    labels: tuple[str, ...] = ()
    size: tuple[int, int] | None = None
    """(width, height), for a network that takes any."""
    notes: tuple[str, ...] = ()
    """What of it is not taken, a line each."""


def understand(metadata: Mapping[str, str]) -> Said:
    """Read metadata of any dialect. Values that make no sense count as absent."""
    model_api = {
        key.removeprefix(_PREFIX): value for key, value in metadata.items() if key.startswith(_PREFIX)
    }
    if model_api:
        return _model_api(model_api)
    if "names" in metadata and ("task" in metadata or "stride" in metadata):
        return _ultralytics(metadata)
    if any(key.startswith("Image.") for key in metadata):
        return _picture_metadata(metadata)
    labels = next((_names(metadata[key]) for key in ("labels", "names", "classes") if key in metadata), ())
    return Said("its own", {}, labels) if labels else Said()


def _model_api(metadata: Mapping[str, str]) -> Said:
    mean = _triple(metadata.get("mean_values", "")) or (0.0,) * 3
    std = _triple(metadata.get("scale_values", "")) or (1.0,) * 3
    recipe: dict[str, Any] = {"scale": 1.0, "mean": mean, "std": std}
    if mean == (0.0,) * 3 and len(set(std)) == 1:
        recipe = {"scale": std[0]}
    recipe["fit"] = _FITS.get(metadata.get("resize_type", ""), "stretch")
    if "reverse_input_channels" in metadata:  # its pictures are OpenCV's, in BGR
        recipe["channels"] = "RGB" if metadata["reverse_input_channels"].strip().lower() in _TRUE else "BGR"
    padding = _NUMBER.findall(metadata.get("pad_value", ""))
    if recipe["fit"] == "letterbox":
        recipe["pad"] = int(float(padding[0])) if padding else 0
    if metadata.get("interpolation_type") in _INTERPOLATIONS:
        recipe["interpolation"] = _INTERPOLATIONS[metadata["interpolation_type"]]
    labels = metadata.get("labels", "")
    names = _names(labels) or tuple(labels.split())  # spaces within a name are written as underscores
    return Said("OpenVINO's Model API", recipe, names[:MAX_LABELS])


def _ultralytics(metadata: Mapping[str, str]) -> Said:
    size = [int(float(side)) for side in _NUMBER.findall(metadata.get("imgsz", ""))]
    recipe: dict[str, Any] = {"scale": 255.0, "channels": "RGB"}
    recipe |= {"fit": "crop"} if metadata.get("task") == "classify" else {"fit": "letterbox", "pad": 114}
    sides = (size[1], size[0]) if len(size) == 2 else (size[0], size[0]) if size else None
    return Said("Ultralytics'", recipe, _names(metadata["names"]), sides)


def _picture_metadata(metadata: Mapping[str, str]) -> Said:
    recipe = dict(_PIXEL_RANGES.get(metadata.get("Image.NominalPixelRange", ""), {}))
    if metadata.get("Image.BitmapPixelFormat") in _PIXEL_FORMATS:
        recipe["channels"] = _PIXEL_FORMATS[metadata["Image.BitmapPixelFormat"]]
    return Said("the ONNX specification's", recipe)


def _triple(text: str) -> tuple[float, float, float] | None:
    values = [float(value) for value in _NUMBER.findall(text)]
    if len(values) == 1:
        values *= 3
    return (values[0], values[1], values[2]) if len(values) == 3 else None


def _names(text: str) -> tuple[str, ...]:
    """Names from a Python or JSON list, or from a map of class numbers 0, 1, … to names."""
    try:
        value = ast.literal_eval(text) if len(text) <= 1 << 22 else None
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return ()
    if isinstance(value, dict):
        by_number = {str(key): name for key, name in value.items()}
        if any(str(number) not in by_number for number in range(len(value))):
            return ()
        value = [by_number[str(number)] for number in range(len(value))]
    if not isinstance(value, list | tuple) or len(value) > MAX_LABELS:
        return ()
    return tuple(map(str, value))
