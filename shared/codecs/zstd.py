"""A codec whose payload has a known size, compressed by Zstandard (RFC 8878)."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Protocol

import zstandard

from shared.codecs.base import Codec, Encoded
from shared.errors import ContentError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shared.wire.frame import Bytes


_EXTRA_BYTES = 1024
"""Zstandard makes nothing longer than by a 256th and 64 bytes."""


class _SizedCodec(Protocol):
    name: str

    def encode(self, array: NDArray[Any]) -> Encoded: ...
    def decode(self, params: bytes, payload: Bytes, shape: tuple[int, ...]) -> NDArray[Any]: ...
    def payload_bytes(self, shape: tuple[int, ...]) -> int: ...


class Zstd(Codec):
    """`inner`, then Zstandard.

    Level 1 by default: on tensors of a CNN, higher levels are slower and save almost nothing. The compressed frame must
    declare its content size, which must be the one that the shape implies; that is checked before anything is allocated.
    """

    def __init__(self, codec_id: int, inner: _SizedCodec, level: int = 1) -> None:
        self.id = codec_id
        self.name = f"{inner.name}+zstd"
        self.inner = inner
        self._level = level
        self._local = threading.local()  # neither object may be shared between threads

    def options(self) -> dict[str, int]:
        return {"level": self._level}

    def ranges(self) -> dict[str, tuple[int, int]]:
        return {"level": (1, 19)}

    def with_options(self, **options: int) -> Codec:
        return Zstd(self.id, self.inner, **options)

    def encode(self, array: NDArray[Any]) -> Encoded:
        if not hasattr(self._local, "compressor"):
            self._local.compressor = zstandard.ZstdCompressor(level=self._level, write_content_size=True)
        params, payload = self.inner.encode(array)
        return Encoded(params, self._local.compressor.compress(payload))

    def decode(self, params: bytes, payload: Bytes, shape: tuple[int, ...]) -> NDArray[Any]:
        if not hasattr(self._local, "decompressor"):
            self._local.decompressor = zstandard.ZstdDecompressor()
        expected = self.inner.payload_bytes(shape)
        most = expected + (expected >> 6) + _EXTRA_BYTES
        if len(payload) > most:  # blocks that unpack to nothing cost time all the same
            raise ContentError(
                f"{self.name} of shape {shape} takes at most {most} bytes, the frame brings {len(payload)}"
            )
        try:
            declared = zstandard.frame_content_size(payload)
            if declared != expected:
                raise ContentError(
                    f"{self.name} of shape {shape} unpacks to {expected} bytes, the frame declares {declared}"
                )
            raw = self._local.decompressor.decompress(
                payload, max_output_size=expected, allow_extra_data=False
            )
        except zstandard.ZstdError as error:
            raise ContentError(f"{self.name}: not a Zstandard frame ({error})") from None
        return self.inner.decode(params, raw, shape)
