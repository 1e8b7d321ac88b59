"""How a profile travels over HTTP: as its file, or packed by Zstandard (RFC 8878, `Content-Encoding: zstd`), and how long that may take."""

from __future__ import annotations

import zstandard

from shared.errors import LimitError, MediaTypeError, ProfileContentError

IDENTITY, ZSTD = "identity", "zstd"
ENCODINGS = (IDENTITY, ZSTD)
_LEVEL = 9
_MOST_TIMES = 4
"""What is packed has at most so many times its bytes: a profile of ResNet-50 has 1.8 times, and memory is claimed for what comes."""
SLACK_S = 20.0
"""By how much longer a cloud waits for a profile than its edge does."""
_LEAST_S, _MOST_S = 100.0, 900.0
_LEAST_BYTES_PER_S = 4000.0


def transfer_s(size: int) -> float:
    """How long an edge gives so many bytes of a profile to cross: 32 kbit/s are enough up to 3.6 MB. The cloud waits for longer."""
    return min(_MOST_S, max(_LEAST_S, size / _LEAST_BYTES_PER_S))


def encoding_of(header: str | None) -> str:
    """The `Content-Encoding` of a profile, None if absent: one of ENCODINGS. Raises MediaTypeError."""
    encoding = IDENTITY if header is None else header.strip().lower()
    if encoding not in ENCODINGS:
        raise MediaTypeError(f"Content-Encoding {header} is not supported", accepted=list(ENCODINGS))
    return encoding


def pack(data: bytes) -> tuple[bytes, str]:
    """A profile's file as it is to travel, and its encoding; takes some 40 ms for 3 MB."""
    packed = zstandard.compress(data, _LEVEL)
    return (packed, ZSTD) if len(packed) < len(data) <= _MOST_TIMES * len(packed) else (data, IDENTITY)


def unpack(packed: bytes, most_bytes: int) -> bytes:
    """The file again. Raises LimitError, before anything is allocated, if it has more than `most_bytes`, or ProfileContentError."""
    most_bytes = min(most_bytes, _MOST_TIMES * len(packed))
    try:
        size = zstandard.frame_content_size(packed)
        if size > most_bytes:
            raise LimitError(
                f"a profile of {size} bytes, packed in {len(packed)}", accepted={"max_bytes": most_bytes}
            )
        if size < 0:
            raise ProfileContentError("the packed profile does not say how long it is")
        data = zstandard.ZstdDecompressor().decompress(packed, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise ProfileContentError(f"the packed profile is damaged: {error}") from None
    if len(data) != size:
        raise ProfileContentError(f"the packed profile has {len(data)} bytes and declares {size}")
    return data
