"""How a webhook's receiver knows that a request is ours: HMAC-SHA256, by the scheme of Standard Webhooks.

webhook-id: ID                     the event's, the same in every attempt
webhook-timestamp: 1790000000      seconds since 1970, of this attempt
webhook-signature: v1,BASE64       over ID.TIMESTAMP.BODY; several with spaces between, one for each key
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

PREFIX = "whsec_"
_LEAST_BYTES, _MOST_BYTES = 24, 64
_MOST_KEYS = 4


def keys(data: bytes) -> tuple[bytes, ...]:
    """The keys in a file, one a line, each in base64 with or without `whsec_` before it. Raises ValueError.

    While a receiver learns a new one, both stand there, and each request has both signatures.
    """
    lines = [line.strip() for line in data.decode("ascii", "replace").splitlines() if line.strip()]
    if not 1 <= len(lines) <= _MOST_KEYS:
        raise ValueError(f"{len(lines)} keys; accepted: 1 to {_MOST_KEYS}, one a line")
    return tuple(_key(line, number) for number, line in enumerate(lines, 1))


def _key(line: str, number: int) -> bytes:
    try:
        key = base64.b64decode(line.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not _LEAST_BYTES <= len(key) <= _MOST_BYTES:
        raise ValueError(
            f"line {number} is no key; accepted: {_LEAST_BYTES} to {_MOST_BYTES} random bytes in base64, with or without {PREFIX} "
            "before them, as `openssl rand -base64 32` prints"
        )
    return key


def signed(secrets: Sequence[bytes], event: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The header fields of a request with this body, for the event with this id."""
    content = b"%b.%d.%b" % (event.encode(), timestamp, body)
    digests = [hmac.digest(secret, content, hashlib.sha256) for secret in secrets]
    return {
        "webhook-id": event,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(f"v1,{base64.b64encode(each).decode()}" for each in digests),
    }
