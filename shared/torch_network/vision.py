"""The only module that imports torchvision, without what its classifiers do not need.

A torchvision that was built for another torch (say, a CUDA build beside a CPU torch) cannot load its native operators. Its
import then fails, because it registers shape functions for operators that do not exist. The classifiers need none of them.
So if the operators cannot be loaded, their schemas are declared first; if the builds match, nothing is done. Detectors need two of
the operators, which are then computed in plain torch (detection/reference.py); whoever calls another is told, as ever, that it could
not be loaded.

One operator of detection networks asks torch's compiler a question, for which torchvision imports the whole compiler: half of
the process's start-up time, and 70 MB. Here the compiler is imported when the question is asked.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import torch

from shared.torch_network.detection.reference import nms, roi_align

if TYPE_CHECKING:
    from collections.abc import Iterator

_COMPILER = "torch._dynamo.utils"


def _native_operators_load() -> bool:
    spec = importlib.util.find_spec("torchvision")
    if spec is None or spec.origin is None:
        return True  # not installed: the import below reports that
    for library in Path(spec.origin).parent.glob("_C*.so"):
        try:
            torch.ops.load_library(str(library))  # type: ignore[no-untyped-call]
        except OSError:
            return False
    return True


class _CompilerOnDemand(ModuleType):
    """Stands in for the compiler while torchvision is imported. Any other use of it imports the compiler itself."""

    @staticmethod
    def is_compile_supported(device_type: str) -> Any:
        """The function that torchvision imports. It is called, if ever, when the stand-in has been removed."""
        return importlib.import_module(_COMPILER).is_compile_supported(device_type)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)  # the import system checks whether this is a package
        _end(self)
        return getattr(importlib.import_module(_COMPILER), name)


def _end(stand_in: _CompilerOnDemand) -> None:
    if sys.modules.get(_COMPILER) is stand_in:
        del sys.modules[_COMPILER]


@contextlib.contextmanager
def _compiler_on_demand() -> Iterator[None]:
    stand_in = _CompilerOnDemand(_COMPILER)
    sys.modules.setdefault(_COMPILER, stand_in)
    try:
        yield
    finally:
        _end(stand_in)


_ARE_NATIVE = _native_operators_load()
if not _ARE_NATIVE:
    # In a module variable, because the schemas exist as long as the object does.
    _OPERATORS = torch.library.Library("torchvision", "DEF")  # type: ignore[no-untyped-call]
    _OPERATORS.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")  # type: ignore[no-untyped-call]
    _OPERATORS.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")  # type: ignore[no-untyped-call]
    _OPERATORS.define(  # type: ignore[no-untyped-call]
        "roi_align(Tensor input, Tensor rois, float spatial_scale, SymInt pooled_height, SymInt pooled_width, "
        "int sampling_ratio, bool aligned) -> Tensor"
    )

with _compiler_on_demand():
    import torchvision
    from torchvision.models import get_model, get_model_builder, get_model_weights, list_models
    from torchvision.transforms import InterpolationMode
    from torchvision.transforms import functional as transforms

if not _ARE_NATIVE:
    for _name, _function in (("nms", nms), ("roi_align", roi_align)):
        _OPERATORS.impl(_name, _function, "CompositeExplicitAutograd")  # type: ignore[no-untyped-call]
    # These two modules ask, before they call an operator, whether any could be loaded.
    for _module in ("boxes", "roi_align"):
        vars(sys.modules[f"torchvision.ops.{_module}"]).update(
            {"_has_ops": lambda: True, "_assert_has_ops": lambda: None}
        )

__all__ = [
    "InterpolationMode",
    "get_model",
    "get_model_builder",
    "get_model_weights",
    "list_models",
    "torchvision",
    "transforms",
]
