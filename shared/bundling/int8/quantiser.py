"""NNCF, which quantises a graph after training. An extra: nothing that runs a network needs it."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import logging
from typing import TYPE_CHECKING, Any

from shared.bundling.messages import first_line
from shared.engines.openvino.runtime import ov
from shared.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray


def require_nncf() -> None:
    """Raise ModelError if it is not installed."""
    if importlib.util.find_spec("nncf") is None:
        raise ModelError("--int8 needs NNCF, which is not installed: pip install 'splitdnn[int8]'")


def nncf_version() -> str:
    """Its version."""
    return str(_nncf().__version__)


def quantise(
    model: ov.Model,
    tensors: Sequence[NDArray[np.float32]],
    in_float: Sequence[str],
    *,
    attends: bool,
    portable: bool = False,
    show: Callable[[int], object] = lambda _: None,
) -> ov.Model:
    """A quantised copy of `model`, calibrated on its inputs `tensors`, each (C, H, W). The operations `in_float` stay in float.

    `attends`: whether it is a transformer. `portable`: weights have 7 bits, so that the 16-bit sums of processors without VNNI do not
    overflow; else they have 8. `show` is told how many were run. Raises ModelError.
    """
    nncf = _nncf()
    fix = nncf.OverflowFix.ENABLE if portable else nncf.OverflowFix.DISABLE
    advanced = nncf.AdvancedQuantizationParameters(overflow_fix=fix)
    kind = {"model_type": nncf.ModelType.TRANSFORMER} if attends else {}
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # its own progress bars
            found: ov.Model = nncf.quantize(
                model.clone(),
                nncf.Dataset(_Counted(tensors, show)),
                subset_size=len(tensors),
                ignored_scope=nncf.IgnoredScope(names=list(in_float), validate=False),
                advanced_parameters=advanced,
                **kind,
            )
    except Exception as error:
        raise ModelError(f"nncf cannot quantise this network: {first_line(error)}") from error
    return found


class _Counted:
    """The calibration pictures, (1, C, H, W) each; tells how many were asked for."""

    def __init__(self, tensors: Sequence[NDArray[np.float32]], show: Callable[[int], object]) -> None:
        self._tensors = tensors
        self._show = show

    def __len__(self) -> int:
        return len(self._tensors)

    def __iter__(self) -> Iterator[NDArray[np.float32]]:
        for number, tensor in enumerate(self._tensors):
            self._show(number + 1)
            yield tensor[None]


def _nncf() -> Any:
    require_nncf()
    # This module's OpenVINO is that of shared.engines.openvino.runtime, which keeps NNCF, too, from reporting its use over the network.
    assert ov is not None
    import nncf  # noqa: PLC0415 - an extra

    nncf.set_log_level(logging.ERROR)
    return nncf
