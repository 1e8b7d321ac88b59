"""The form of tensors between OpenVINO's segments, by precision; numpy has no bfloat16."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import numpy as np

from shared.engines.openvino.runtime import ov

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from shared.engines.half import Tensors

_KEPT_BYTES = 32 << 20
"""Larger batches get memory of their own."""
_ALIGNMENT = 64
"""Each tensor of a batch begins at a multiple of so many bytes from the first."""


class OpenVinoForm:
    """OpenVINO tensors of float32 or float16; symbols of a quantised tensor, of one byte, stay what they are."""

    def __init__(self, element_type: ov.Type) -> None:
        self.type = element_type
        self._memory = _Memory()

    def pack(self, tensors: Tensors) -> tuple[ov.Tensor, ...]:
        """Copies, rounded to nearest even, in OpenVINO's own memory: a tensor on an array's memory does not hold the array."""
        return tuple(map(self._pack_any, tensors))

    def gather(
        self, packed: tuple[ov.Tensor, ...] | None, callers: Sequence[Tensors]
    ) -> tuple[ov.Tensor, ...]:
        """The rows of `packed` and those of all callers; in memory that this thread's next call but one uses again."""
        shapes = [each.shape for each in callers[0]]
        frames = sum(len(each[0]) for each in callers) + (packed[0].shape[0] if packed else 0)
        types = [_byte_type(each.dtype) or self.type for each in callers[0]]
        whole = self._memory.tensors(types, [(frames, *shape[1:]) for shape in shapes], packed or ())
        for number, each in enumerate(whole):
            row, data = 0, each.data
            if packed:
                row = packed[number].shape[0]
                data[:row] = packed[number].data
            for tensors in callers:
                stop = row + len(tensors[number])
                self._write_any(data[row:stop], tensors[number])
                row = stop
        return whole

    def unpack(self, packed: tuple[ov.Tensor, ...]) -> Tensors:
        """Copies as float32."""
        return tuple(map(self._unpack_any, packed))

    def _pack_any(self, tensors: NDArray[Any]) -> ov.Tensor:
        packed = ov.Tensor(_byte_type(tensors.dtype) or self.type, ov.Shape(tensors.shape))
        self._write_any(packed.data, tensors)
        return packed

    def _write_any(self, place: NDArray[Any], tensors: NDArray[Any]) -> None:
        if _byte_type(tensors.dtype):
            place[...] = tensors
        else:
            self._write(place, tensors)

    def _unpack_any(self, packed: ov.Tensor) -> NDArray[Any]:
        if packed.get_element_type() not in (ov.Type.u8, ov.Type.i8):
            return self._unpack(packed)
        symbols: NDArray[Any] = packed.data.copy()
        return symbols

    def copy(self, packed: tuple[ov.Tensor, ...]) -> tuple[ov.Tensor, ...]:
        """The same bits in new memory."""
        copies = tuple(ov.Tensor(each.element_type, each.shape) for each in packed)
        for each, copy in zip(packed, copies, strict=True):
            each.copy_to(copy)
        return copies

    def _write(self, place: NDArray[Any], tensors: NDArray[np.float32]) -> None:
        with np.errstate(over="ignore"):  # beyond 65504 is infinity in float16, as inside the engine
            place[...] = tensors

    def _unpack(self, packed: ov.Tensor) -> NDArray[np.float32]:
        values: NDArray[np.float32] = packed.data.astype(np.float32)
        return values


class _BFloat16Form(OpenVinoForm):
    """OpenVINO tensors of bfloat16: the upper 16 bits of a float32."""

    def _write(self, place: NDArray[Any], tensors: NDArray[np.float32]) -> None:
        tensors = np.ascontiguousarray(tensors)
        bits = tensors.view(np.uint32)
        even = (bits >> 16) & np.uint32(1)
        upper = ((bits + np.uint32(0x7FFF) + even) >> 16).astype(np.uint16)
        finite = np.isfinite(tensors)
        if not finite.all():  # the rounding would carry into the sign bit
            upper = np.where(finite, upper, bits >> 16 | np.isnan(tensors)).astype(np.uint16)
        place.view(np.uint16)[...] = upper

    def _unpack(self, packed: ov.Tensor) -> NDArray[np.float32]:
        bits: NDArray[np.uint32] = np.left_shift(packed.data.view(np.uint16), 16, dtype=np.uint32)
        return bits.view(np.float32)


class _Memory(threading.local):
    """Each thread's own, used again: new pages for each batch take as long as copying it twice."""

    def __init__(self) -> None:
        self._halves: list[NDArray[np.uint8]] = [np.empty(0, np.uint8)] * 2

    def tensors(
        self, types: Sequence[ov.Type], shapes: Sequence[tuple[int, ...]], read: Sequence[ov.Tensor]
    ) -> tuple[ov.Tensor, ...]:
        """Uninitialised, and apart from what is `read` while they are filled, which may be what was given before."""
        ends, end = [], 0
        for kind, shape in zip(types, shapes, strict=True):
            start = -(-end // _ALIGNMENT) * _ALIGNMENT
            end = start + kind.size * int(np.prod(shape))
            ends.append((start, end))
        if end > _KEPT_BYTES:
            return tuple(map(ov.Tensor, types, map(ov.Shape, shapes)))
        at = int(any(np.may_share_memory(each.data, self._halves[0]) for each in read))
        if len(self._halves[at]) < end:
            self._halves[at] = np.empty(end, np.uint8)
        memory = self._halves[at]
        return tuple(
            ov.Tensor(memory[start:stop].view(_DTYPES[kind.size]).reshape(shape), ov.Shape(shape), kind)
            for kind, shape, (start, stop) in zip(types, shapes, ends, strict=True)
        )


_DTYPES: dict[int, Any] = {1: np.uint8, 2: np.float16, 4: np.float32}
"""Any type of so many bytes does: OpenVINO is told which it is."""


def _byte_type(dtype: np.dtype[Any]) -> ov.Type | None:
    """The type of symbols; None for numbers, which have the engine's precision."""
    if dtype.itemsize > 1:
        return None
    return ov.Type.i8 if dtype == np.int8 else ov.Type.u8


FORMS = {
    "float32": OpenVinoForm(ov.Type.f32),
    "float16": OpenVinoForm(ov.Type.f16),
    "bfloat16": _BFloat16Form(ov.Type.bf16),
    "int8": OpenVinoForm(ov.Type.f32),
}
