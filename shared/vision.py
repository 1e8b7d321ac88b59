"""The one place that imports torchvision.

A torchvision built for another torch (the package index's build against CUDA, beside a CPU torch, say) cannot load its
native operators; its import then dies, because it registers shape functions for operators that do not exist. The
classifiers need none of them. So where they cannot load, their schemas are declared first; where the builds match
nothing is done.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import torch


def _native_operators_load() -> bool:
    spec = importlib.util.find_spec("torchvision")
    if spec is None or spec.origin is None:
        return True  # not installed: the import below says so
    for library in Path(spec.origin).parent.glob("_C*.so"):
        try:
            torch.ops.load_library(str(library))  # type: ignore[no-untyped-call]
        except OSError:
            return False
    return True


if not _native_operators_load():
    # Kept in a module variable: the schemas live as long as the object does.
    _SCHEMAS = torch.library.Library("torchvision", "DEF")  # type: ignore[no-untyped-call]
    _SCHEMAS.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")  # type: ignore[no-untyped-call]
    _SCHEMAS.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")  # type: ignore[no-untyped-call]

import torchvision  # noqa: E402
from torchvision.models import get_model, get_model_weights, list_models  # noqa: E402
from torchvision.transforms import InterpolationMode  # noqa: E402
from torchvision.transforms import functional as transforms  # noqa: E402

__all__ = ["InterpolationMode", "get_model", "get_model_weights", "list_models", "torchvision", "transforms"]
