"""The only module that imports OpenVINO, so that its telemetry is off: OpenVINO's packages report their use over the network
unless the package `openvino_telemetry` is absent. And the converter, half of what it imports, comes only where one converts.
"""

from __future__ import annotations

import sys
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]

_CONVERTER = "openvino.tools.ovc"
_has_converter = _CONVERTER in sys.modules
sys.modules.setdefault(_CONVERTER, None)  # type: ignore[arg-type]

import openvino as ov  # noqa: E402 - after the lines above
from openvino import opset13 as operations  # noqa: E402

if not _has_converter:
    del sys.modules[_CONVERTER]

__all__ = [
    "VERSION",
    "convert_model",
    "core",
    "operations",
    "ov",
    "precisions",
    "reason",
    "translation",
    "without_integers",
]

VERSION: str = ov.get_version()
_LONGEST_REASON = 300
_CAPABILITIES = {"bfloat16": "BF16", "float16": "FP16", "float32": "FP32"}


@cache
def core() -> ov.Core:
    """The process's only Core, which owns the plugins, and is never given up.

    With a second one that goes, the thread would be left with a stack for signals that is no longer mapped, and SIGTERM would end the process
    in place of draining it (findings/openvino-a-core-that-goes-leaves-a-signal-stack-behind.sh).
    """
    return ov.Core()


def convert_model(*source: Any, **options: Any) -> ov.Model:
    """`openvino.convert_model`, which is not in `ov`."""
    from openvino.tools import ovc  # noqa: PLC0415 - see above

    model: ov.Model = ovc.convert_model(*source, **options)
    return model


def translation(name: str, function: Callable[[Any], list[ov.Output]]) -> Any:
    """For the option `extension` of `convert_model`: how an operator of torch is said in OpenVINO's."""
    from openvino.frontend.pytorch import ConversionExtension  # noqa: PLC0415 - the converter's

    return ConversionExtension(name, function)


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
