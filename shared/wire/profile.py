"""How a profile travels over HTTP: as its file, or packed by Zstandard (RFC 8878, `Content-Encoding: zstd`), and how long that may take."""

from __future__ import annotations

from shared.wire.http import IDENTITY

ZSTD = "zstd"
ENCODINGS = (IDENTITY, ZSTD)
MOST_TIMES = 4
"""What is packed (shared/codecs/zstd.py) has at most so many times its bytes: a profile of ResNet-50 has 1.8 times, and memory is claimed for what comes."""
SLACK_S = 20.0
"""By how much longer a cloud waits for a profile than its edge does."""
_LEAST_S, _MOST_S = 100.0, 900.0
_LEAST_BYTES_PER_S = 4000.0


def transfer_s(size: int) -> float:
    """How long an edge gives so many bytes of a profile to cross: 32 kbit/s are enough up to 3.6 MB. The cloud waits for longer."""
    return min(_MOST_S, max(_LEAST_S, size / _LEAST_BYTES_PER_S))
