"""How frames and profiles travel over HTTP: the media type, the digest of a body, the one accepted encoding."""

from __future__ import annotations

import base64
import hashlib
import re
from urllib.parse import urlsplit

from shared.errors import MediaTypeError

CONTENT_TYPE = "application/vnd.splitdnn.frame"
"""The media type of a request whose body is one frame."""
ANSWER_STEPS = ("receive", "decode", "queue", "tail", "top")
"""The steps whose times are in an answer."""


_PLAIN, _ENCODED = r"[\w.~!$&'()*+,;=-]", "%[0-9A-F]{2}"
_PROXY = re.compile(
    rf"https?://(?:(?:{_PLAIN}|(?!%3A){_ENCODED})+(?::(?:{_PLAIN}|:|{_ENCODED})*)?@)?(?:[\w.-]+|\[[0-9A-F:.]+\])(?::[0-9]+)?/?",
    re.IGNORECASE | re.ASCII,
)
"""Scheme, user and password with everything special in them percent-encoded, host, port."""
_ORIGIN = re.compile(r"https?://(?:[\w.-]+|\[[0-9A-F:.]+\]):[0-9]+", re.IGNORECASE | re.ASCII)


def require_proxy(url: str) -> str:
    """The URL of a proxy, if it is one; what a user would have to encode in its password is not guessed. Raises ValueError."""
    if not _PROXY.fullmatch(url) or not _has_port(url):
        raise ValueError(
            "not the URL of an HTTP proxy such as http://proxy:3128; in a user or password before the host %40 stands for an `@`, %3A for a "
            "`:`, %2F for a `/`"
        )
    return url


def require_origin(url: str) -> str:
    """The address of a server, with its port and nothing behind it, if it is one. Raises ValueError."""
    if not _ORIGIN.fullmatch(url) or not _has_port(url):
        raise ValueError(
            f"{url[:200]!r} is not an address such as http://cloud-1:8881 or https://tasks.cloud:8881"
        )
    return url


def _has_port(url: str) -> bool:
    try:
        return urlsplit(url).port != 0
    except ValueError:  # beyond 65535
        return False


def content_digest(body: bytes) -> str:
    """The value of the header `Content-Digest` (RFC 9530) for this body, by SHA-256."""
    return f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"


def require_identity(encoding: str | None) -> None:
    """Raise MediaTypeError unless a body is sent as it is. `encoding` is the header `Content-Encoding`, None if absent.

    A compressed body would have to be unpacked before its size could be checked against a limit.
    """
    if encoding is not None and encoding.lower() != "identity":
        raise MediaTypeError(f"Content-Encoding {encoding} is not supported", accepted=["identity"])
