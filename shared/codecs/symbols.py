"""uint8: what a network has quantised itself, one byte an element, not rounded again.

    value = (symbol - zero_point) * scale        symbol, zero_point in 0 … 255

Scale and zero point are the network's own at that split point (`Grid`), so a tail is given exactly what its head has computed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from shared.codecs.base import Codec, Encoded, elements, require_finite
from shared.codecs.floating import FLOAT32
from shared.codecs.int8 import PARAMS, unpack_params
from shared.codecs.zstd import FLOAT32_ZSTD, Zstd
from shared.errors import ContentError, SettingsError
from shared.network.grid import Grid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from shared.network.partition import SplitPoint
    from shared.wire.frame import Bytes, EncodedTensor


class Symbols(Codec):
    """Carries uint8 symbols, or float32 values that lie on the grid, without any loss."""

    carries: Literal["tensor", "picture", "symbols"] = "symbols"

    def __init__(self, codec_id: int, name: str, grid: Grid | None = None) -> None:
        """Without a grid it only decodes."""
        self.id = codec_id
        self.name = name
        self._grid = grid

    def on(self, grid: Grid) -> Symbols:
        """The same codec for a tensor of this grid."""
        return Symbols(self.id, self.name, grid)

    def encode(self, array: NDArray[Any]) -> Encoded:
        """`array`: uint8 symbols or float32 values, of which those between two steps are rounded, as the network does."""
        if self._grid is None:
            raise ContentError(
                f"{self.name} carries what a network quantises itself, and this tensor is not: choose another codec"
            )
        if array.dtype != np.uint8:
            require_finite(array)
        symbols = np.ascontiguousarray(self._grid.symbols(array))
        return Encoded(PARAMS.pack(*self._grid), symbols.tobytes())

    def decode(self, params: bytes, payload: Bytes, shape: tuple[int, ...]) -> NDArray[Any]:
        symbols, grid = self.read(params, payload, shape)
        return grid.values(symbols)

    def read(self, params: bytes, payload: Bytes, shape: tuple[int, ...]) -> tuple[NDArray[np.uint8], Grid]:
        """The symbols, a view of `payload`, and their grid. Raises ContentError."""
        grid = Grid(*unpack_params(self.name, params))
        if len(payload) != elements(shape):
            raise ContentError(
                f"{self.name} of shape {shape} is {elements(shape)} bytes, the frame brings {len(payload)}"
            )
        return np.frombuffer(payload, dtype=np.uint8).reshape(shape), grid

    def payload_bytes(self, shape: tuple[int, ...]) -> int:
        return elements(shape)


class CrossingSymbols(Codec):
    """`uint8` or `uint8+zstd` for the tensors of one split point; one that the network does not quantise travels as float32."""

    def __init__(self, codec: Codec, grids: Sequence[Grid | None]) -> None:
        """`codec` is one of the two; `grids` has one entry for each tensor."""
        self.id, self.name = codec.id, codec.name
        self.grids = tuple(grids)
        self._codec = codec
        self._tensors = [_of(codec, grid) for grid in grids]

    def of_tensor(self, number: int) -> Codec:
        if number >= len(self._tensors):
            raise ContentError(
                f"{self.name} is for {len(self._tensors)} tensors here, and one more is to be encoded"
            )
        return self._tensors[number]

    def encode(self, array: NDArray[Any]) -> Encoded:
        return self._tensors[0].encode(array)

    def decode(self, params: bytes, payload: Bytes, shape: tuple[int, ...]) -> NDArray[Any]:
        return self._codec.decode(params, payload, shape)

    def options(self) -> dict[str, int]:
        return self._codec.options()

    def ranges(self) -> dict[str, tuple[int, int]]:
        return self._codec.ranges()


def carries_symbols(codec: Codec | None) -> bool:
    """Whether it is `uint8` or `uint8+zstd`."""
    inner = codec.inner if isinstance(codec, Zstd) else codec
    return isinstance(inner, Symbols | CrossingSymbols)


def at_point(codec: Codec, point: SplitPoint) -> Codec:
    """The codec for what crosses at `point`. Raises SettingsError if the network quantises none of it and the codec carries just that."""
    if not carries_symbols(codec) or isinstance(codec, CrossingSymbols):
        return codec
    if not point.is_quantised:
        raise SettingsError(
            f"codec {codec.name} carries what an int8 network quantises itself, and at {point.name} this network quantises nothing; "
            "choose another codec or split point"
        )
    return CrossingSymbols(codec, point.grids)


def symbols_of(codec: Codec, tensor: EncodedTensor, grid: Grid | None) -> NDArray[np.uint8] | None:
    """The symbols that a tensor of a frame brings, if its codec carries symbols and they are of this grid. Raises ContentError."""
    if grid is None or not carries_symbols(codec):
        return None
    payload = tensor.payload
    if isinstance(codec, Zstd):
        payload, codec = codec.unpacked(payload, tensor.shape), codec.inner  # type: ignore[assignment]
    assert isinstance(codec, Symbols)
    symbols, found = codec.read(tensor.params, payload, tensor.shape)
    return symbols if found == grid else None


def _of(codec: Codec, grid: Grid | None) -> Codec:
    if isinstance(codec, Zstd):
        if grid is None:
            return FLOAT32_ZSTD.with_options(**codec.options())
        assert isinstance(codec.inner, Symbols)
        return codec.around(codec.inner.on(grid))
    assert isinstance(codec, Symbols)
    return codec.on(grid) if grid else FLOAT32
