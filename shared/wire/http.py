"""How frames and profiles travel over HTTP: the media type, the digest of a body, the one accepted encoding."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from shared.errors import MediaTypeError

if TYPE_CHECKING:
    from collections.abc import Sequence

CONTENT_TYPE = "application/vnd.splitdnn.frame"
"""The media type of a request whose body is one frame."""
IDENTITY = "identity"
"""The content coding of what is sent as it is (RFC 9110)."""
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


def encoding_of(header: str | None, accepted: Sequence[str] = (IDENTITY,)) -> str:
    """How a body is sent, by its header `Content-Encoding`, None if absent. Raises MediaTypeError if that is none of the accepted ones.

    By default as it is: most of what is compressed would have to be unpacked before its size could be checked against a limit.
    """
    encoding = IDENTITY if header is None else header.lower()
    if encoding not in accepted:
        raise MediaTypeError(f"Content-Encoding {header} is not supported", accepted=list(accepted))
    return encoding
