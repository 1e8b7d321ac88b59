"""The digest of an HTTP body, as RFC 9530 writes it in the header `Content-Digest`."""

from __future__ import annotations

import base64
import hashlib


def content_digest(body: bytes) -> str:
    """For the header; SHA-256."""
    return f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"
