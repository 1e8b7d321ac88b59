"""The only module that imports OpenVINO, so that its telemetry is off: OpenVINO's packages report their use over the network
unless the package `openvino_telemetry` is absent.
"""

from __future__ import annotations

import sys
from functools import cache

sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]

import openvino as ov  # noqa: E402 - after the line above
from openvino import opset13 as operations  # noqa: E402

__all__ = ["VERSION", "core", "operations", "ov", "precisions", "reason", "without_integers"]

VERSION: str = ov.get_version()
_LONGEST_REASON = 300
_CAPABILITIES = {"bfloat16": "BF16", "float16": "FP16", "float32": "FP32"}


@cache
def core() -> ov.Core:
    """The process's only Core, which owns the plugins."""
    return ov.Core()


def precisions() -> list[str]:
    """The precisions that this CPU computes natively, the fastest first."""
    native = core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    return [name for name, capability in _CAPABILITIES.items() if capability in native]


def without_integers(model: ov.Model) -> dict[str, str]:
    """Options that have a quantised network computed in floating point, as its own framework computes it.

    OpenVINO's integer kernels round otherwise, and wrongly where a result lies between two of them. None for other networks.
    """
    quantised = any(each.get_type_name() == "FakeQuantize" for each in model.get_ops())
    return {"LP_TRANSFORMS_MODE": "NO"} if quantised else {}


def reason(error: Exception) -> str:
    """One line of OpenVINO's, which writes first where in its code an error is, and last what it is."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1][:_LONGEST_REASON] if lines else type(error).__name__
