"""float32 arrays to and from OpenVINO's tensors in a shorter precision; numpy has no bfloat16."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from shared.engines.openvino.runtime import ov

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Form:
    """Tensors of one precision: float32, or float16."""

    def __init__(self, element_type: ov.Type) -> None:
        self.type = element_type

    def pack(self, tensors: NDArray[np.float32]) -> ov.Tensor:
        """A copy, rounded to nearest, to even. OpenVINO's own memory: a tensor on an array's does not keep the array."""
        packed = ov.Tensor(self.type, ov.Shape(tensors.shape))
        with np.errstate(over="ignore"):  # float16 ends at 65504, as it does inside the engine
            packed.data[...] = tensors
        return packed

    def unpack(self, tensor: ov.Tensor) -> NDArray[np.float32]:
        """A copy of its values."""
        values: NDArray[np.float32] = tensor.data.astype(np.float32)
        return values


class _BFloat16(Form):
    """The upper half of a float32."""

    def pack(self, tensors: NDArray[np.float32]) -> ov.Tensor:
        tensors = np.ascontiguousarray(tensors)
        bits = tensors.view(np.uint32)
        even = (bits >> 16) & np.uint32(1)
        upper = ((bits + np.uint32(0x7FFF) + even) >> 16).astype(np.uint16)
        finite = np.isfinite(tensors)
        if not finite.all():  # adding would carry over into the sign
            upper = np.where(finite, upper, bits >> 16 | np.isnan(tensors)).astype(np.uint16)
        packed = ov.Tensor(self.type, ov.Shape(tensors.shape))
        packed.data.view(np.uint16)[...] = upper
        return packed

    def unpack(self, tensor: ov.Tensor) -> NDArray[np.float32]:
        bits: NDArray[np.uint32] = np.left_shift(tensor.data.view(np.uint16), 16, dtype=np.uint32)
        return bits.view(np.float32)


FORMS = {
    "float32": Form(ov.Type.f32),
    "float16": Form(ov.Type.f16),
    "bfloat16": _BFloat16(ov.Type.bf16),
}
