"""How frames and profiles travel over HTTP: the media type, the digest of a body, the one accepted encoding."""

from __future__ import annotations

import base64
import hashlib

from shared.errors import MediaTypeError

CONTENT_TYPE = "application/vnd.splitdnn.frame"
"""The media type of a request whose body is one frame."""
ANSWER_STEPS = ("receive", "decode", "queue", "tail", "top")
"""The steps whose times are in an answer."""


def content_digest(body: bytes) -> str:
    """The value of the header `Content-Digest` (RFC 9530) for this body, by SHA-256."""
    return f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"


def require_identity(encoding: str | None) -> None:
    """Raise MediaTypeError unless a body is sent as it is. `encoding` is the header `Content-Encoding`, None if absent.

    A compressed body would have to be unpacked before its size could be checked against a limit.
    """
    if encoding is not None and encoding.lower() != "identity":
        raise MediaTypeError(f"Content-Encoding {encoding} is not supported", accepted=["identity"])
