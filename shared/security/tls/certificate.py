"""What a certificate says that the standard library does not tell: when it expires. And whose it is."""

from __future__ import annotations

import calendar
import re
import ssl
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_BLOCK = re.compile(r"-----BEGIN CERTIFICATE-----[\sA-Za-z0-9+/=]+-----END CERTIFICATE-----")
_SEQUENCE, _VERSION = 0x30, 0xA0
_TIMES = {
    0x17: re.compile(r"(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z"),
    0x18: re.compile(r"(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z"),
}
"""UTCTime and GeneralizedTime, in the only forms that RFC 5280 allows (section 4.1.2.5)."""


def expiry_of(pem: str) -> float:
    """When the first certificate of a PEM file expires, in seconds since 1970. Raises ValueError if there is none."""
    block = _BLOCK.search(pem)
    if block is None:
        raise ValueError("no certificate in PEM form")
    der = ssl.PEM_cert_to_DER_cert(block[0])
    try:
        certificate, _ = _enter(der, 0, _SEQUENCE)
        at, _ = _enter(der, certificate, _SEQUENCE)
        if der[at] == _VERSION:
            at = _element(der, at)[2]
        for _ in ("serial number", "signature algorithm", "issuer"):
            at = _element(der, at)[2]
        not_before, _ = _enter(der, at, _SEQUENCE)
        tag, start, end = _element(der, _element(der, not_before)[2])
        found = _TIMES[tag].fullmatch(der[start:end].decode("ascii"))
        assert found is not None
        year, *rest = map(int, found.groups())
    except (AssertionError, IndexError, KeyError, UnicodeDecodeError):
        raise ValueError("not a certificate") from None
    if tag == 0x17:
        year += 1900 if year >= 50 else 2000
    return float(calendar.timegm((year, *rest)))


def name_of(peer: Mapping[str, object] | None) -> str | None:
    """The name in a peer's certificate, as `getpeercert` gives it: the common name, else the first alternative name.

    None without a certificate, and for one that names nobody.
    """
    if not peer:
        return None
    subject = peer.get("subject")
    for part in subject if isinstance(subject, tuple) else ():
        for key, value in part:
            if key == "commonName":
                return str(value)
    alternatives = peer.get("subjectAltName")
    return str(alternatives[0][1]) if isinstance(alternatives, tuple) and alternatives else None


def _element(der: bytes, at: int) -> tuple[int, int, int]:
    """Tag, start and end of the content of the element there. Raises IndexError if it is cut."""
    size, start = der[at + 1], at + 2
    if size & 0x80:
        digits = size & 0x7F
        size = int.from_bytes(der[start : start + digits], "big")
        start += digits
    if start + size > len(der):
        raise IndexError
    return der[at], start, start + size


def _enter(der: bytes, at: int, tag: int) -> tuple[int, int]:
    found, start, end = _element(der, at)
    if found != tag:
        raise IndexError
    return start, end
