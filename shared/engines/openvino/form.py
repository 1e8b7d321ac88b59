"""The form of tensors between OpenVINO's segments, by precision; numpy has no bfloat16."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from shared.engines.openvino.runtime import ov

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shared.engines.half import Tensors


class OpenVinoForm:
    """OpenVINO tensors of float32 or float16."""

    def __init__(self, element_type: ov.Type) -> None:
        self.type = element_type

    def pack(self, tensors: Tensors) -> tuple[ov.Tensor, ...]:
        """Copies, rounded to nearest even, in OpenVINO's own memory: a tensor on an array's memory does not hold the array."""
        return tuple(map(self._pack, tensors))

    def unpack(self, packed: tuple[ov.Tensor, ...]) -> Tensors:
        """Copies as float32."""
        return tuple(map(self._unpack, packed))

    def copy(self, packed: tuple[ov.Tensor, ...]) -> tuple[ov.Tensor, ...]:
        """The same bits in new memory."""
        copies = tuple(ov.Tensor(each.element_type, each.shape) for each in packed)
        for each, copy in zip(packed, copies, strict=True):
            each.copy_to(copy)
        return copies

    def _pack(self, tensors: NDArray[np.float32]) -> ov.Tensor:
        packed = ov.Tensor(self.type, ov.Shape(tensors.shape))
        with np.errstate(over="ignore"):  # beyond 65504 is infinity in float16, as inside the engine
            packed.data[...] = tensors
        return packed

    def _unpack(self, packed: ov.Tensor) -> NDArray[np.float32]:
        values: NDArray[np.float32] = packed.data.astype(np.float32)
        return values


class _BFloat16Form(OpenVinoForm):
    """OpenVINO tensors of bfloat16: the upper 16 bits of a float32."""

    def _pack(self, tensors: NDArray[np.float32]) -> ov.Tensor:
        tensors = np.ascontiguousarray(tensors)
        bits = tensors.view(np.uint32)
        even = (bits >> 16) & np.uint32(1)
        upper = ((bits + np.uint32(0x7FFF) + even) >> 16).astype(np.uint16)
        finite = np.isfinite(tensors)
        if not finite.all():  # the rounding would carry into the sign bit
            upper = np.where(finite, upper, bits >> 16 | np.isnan(tensors)).astype(np.uint16)
        packed = ov.Tensor(self.type, ov.Shape(tensors.shape))
        packed.data.view(np.uint16)[...] = upper
        return packed

    def _unpack(self, packed: ov.Tensor) -> NDArray[np.float32]:
        bits: NDArray[np.uint32] = np.left_shift(packed.data.view(np.uint16), 16, dtype=np.uint32)
        return bits.view(np.float32)


FORMS = {
    "float32": OpenVinoForm(ov.Type.f32),
    "float16": OpenVinoForm(ov.Type.f16),
    "bfloat16": _BFloat16Form(ov.Type.bf16),
}
