"""onnxruntime as the reference of ONNX files, where it is installed. It is no dependency: it serves only this check."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Any

import numpy as np

from shared.bundling.messages import first_line
from shared.bundling.sources.rows import stacked
from shared.errors import ModelError
from shared.network.partition import OUTPUT

if TYPE_CHECKING:
    from collections.abc import Container, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from shared.bundling.sources.picture_input import PictureInput
    from shared.engines.half import Tensors
    from shared.network.partition import SplitPoint

_TYPES = {
    "f32": "float32",
    "f16": "float16",
    "f64": "float64",
    "u8": "uint8",
    "i8": "int8",
    "i32": "int32",
    "i64": "int64",
}


def find_onnx_reference(
    path: Path, picture: PictureInput, left_out: Container[int] = ()
) -> OnnxReference | None:
    """The reference for a file whose input is `picture`, without the outputs at the places `left_out`; None without onnxruntime."""
    if importlib.util.find_spec("onnxruntime") is None or picture.element_type not in _TYPES:
        return None
    return OnnxReference(path, picture, left_out)


class OnnxReference:
    """The file, run by onnxruntime on one picture at a time."""

    name = "onnxruntime"

    def __init__(self, path: Path, picture: PictureInput, left_out: Container[int]) -> None:
        import onnxruntime  # noqa: PLC0415 - optional

        self.version: str = onnxruntime.__version__
        self._picture = picture
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        try:
            self._session: Any = onnxruntime.InferenceSession(
                path, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:
            raise ModelError(f"onnxruntime cannot read {path.name}: {first_line(error)}") from error
        self._outputs = [
            output.name for place, output in enumerate(self._session.get_outputs()) if place not in left_out
        ]

    def crossings(self, pictures: Tensors) -> Mapping[str, Tensors]:
        """Only the outputs."""
        given = pictures[0]
        if self._picture.is_channels_last:
            given = np.ascontiguousarray(given.transpose(0, 2, 3, 1))
        given = given.astype(_TYPES[self._picture.element_type])
        (wanted,) = self._session.get_inputs()
        fixed = wanted.shape[0] if isinstance(wanted.shape[0], int) else 1
        try:
            rows = [
                [
                    _first(tensor, fixed)
                    for tensor in self._session.run(self._outputs, {wanted.name: np.stack([each] * fixed)})
                ]
                for each in given
            ]
        except Exception as error:
            raise ModelError(f"onnxruntime cannot run this network: {first_line(error)}") from error
        return {OUTPUT: stacked(rows)}

    def tail(self, point: SplitPoint, crossing: Tensors) -> Tensors | None:
        """None: it cannot cut."""
        del point, crossing
        return None


def _first(tensor: NDArray[np.generic], batch: int) -> NDArray[np.generic]:
    """The first picture's part of an output for a batch of one picture repeated."""
    return tensor[:1] if batch > 1 and tensor.ndim and len(tensor) == batch else tensor
