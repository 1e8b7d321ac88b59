"""The targets of events as the user gives them, and what each is called where nothing secret may be shown."""

from __future__ import annotations

import hashlib
import re
import socket
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from shared.observing.json_lines import HOSTNAME
from shared.observing.logs import mask_url
from shared.security.exposure import is_loopback

if TYPE_CHECKING:
    from urllib.parse import SplitResult

MAX_TARGETS = 8
PORTS = {"mqtt": 1883, "mqtts": 8883, "http": 80, "https": 443}
_TOPIC = "splitdnn"
_PREFIX = re.compile(r"[^+#/\x00-\x1f\x7f]+(?:/[^+#/\x00-\x1f\x7f]+)*")
_MAX_PREFIX_BYTES = 200
_MAX_USER_BYTES = 1024
_MAX_NAME, _MARK = 64, 6


@dataclass(frozen=True, slots=True)
class Broker:
    """One that speaks MQTT."""

    name: str
    """For metrics, the log and the spool: small letters, digits and `. _ -`."""
    host: str
    port: int
    tls: bool
    user: str | None = field(repr=False)
    prefix: str
    """The beginning of every topic, without a slash at its end."""


@dataclass(frozen=True, slots=True)
class Receiver:
    """A webhook's."""

    name: str
    """Likewise: without the path, which is a secret of some receivers."""
    url: str = field(repr=False)
    tls: bool


Target = Broker | Receiver


def targets_of(text: str) -> tuple[Target, ...]:
    """The targets in a setting, in their order. Raises ValueError for what is none.

    Several are separated by commas; a comma inside an address is written as %2C.
    """
    urls = [each.strip() for each in text.split(",")]
    if len(urls) > MAX_TARGETS:
        raise ValueError(f"{len(urls)} addresses; accepted: at most {MAX_TARGETS}")
    found = []
    for number, url in enumerate(urls, 1):
        try:
            found.append(_target(url))
        except ValueError as error:
            which = f"number {number} of {len(urls)}, {mask_url(url) or 'nothing'}: " if len(urls) > 1 else ""
            raise ValueError(f"{which}{error}") from None
    names = [each.name for each in found]
    if twice := {name for name in names if names.count(name) > 1}:
        raise ValueError(f"{min(twice)} is given twice")
    return tuple(found)


def in_clear(target: Target) -> bool:
    """Whether events, and a password, cross a network unencrypted."""
    host = target.host if isinstance(target, Broker) else urlsplit(target.url).hostname or ""
    return not target.tls and not is_loopback(host)


def _target(url: str) -> Target:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:  # a port beyond 65535, half an IPv6 address
        parts, port = urlsplit(""), None
    if parts.scheme not in PORTS or not parts.hostname or port == 0 or not url.isprintable() or " " in url:
        raise ValueError(
            "not an address such as mqtts://user@broker:8883/prefix or https://receiver/path (also mqtt:// and http://)"
        )
    if parts.password is not None:
        raise ValueError("a password in the address; give it in a file, by --events-password-file")
    if parts.fragment:
        raise ValueError("an address has no #")
    return _broker(parts) if parts.scheme.startswith("mqtt") else _receiver(parts, url)


def _broker(parts: SplitResult) -> Broker:
    if parts.query:
        raise ValueError("the address of a broker has no ?")
    prefix = unquote(parts.path).strip("/").replace(HOSTNAME, socket.gethostname()) or _TOPIC
    if (
        not _PREFIX.fullmatch(prefix)
        or len(prefix.encode(errors="replace")) > _MAX_PREFIX_BYTES
        or prefix[0] == "$"
    ):
        raise ValueError(
            f"its path is no prefix of topics: accepted are words with slashes between them, without + and # and no $ at the beginning, "
            f"of at most {_MAX_PREFIX_BYTES} bytes"
        )
    user = None if parts.username is None else unquote(parts.username)
    if user is not None and not 0 < len(user.encode(errors="replace")) <= _MAX_USER_BYTES:
        raise ValueError("its user is empty, or far too long")
    port = parts.port or PORTS[parts.scheme]
    return Broker(_name(parts, prefix), parts.hostname or "", port, parts.scheme == "mqtts", user, prefix)


def _receiver(parts: SplitResult, url: str) -> Receiver:
    if parts.username is not None:
        raise ValueError(
            "a user in the address of a webhook; requests are signed instead, by --events-secret-file"
        )
    path = parts.path.rstrip("/") + (f"?{parts.query}" if parts.query else "")
    return Receiver(_name(parts, "", path), url, parts.scheme == "https")


def _name(parts: SplitResult, shown: str, hidden: str = "") -> str:
    """What the spool and the metrics take as a name. It stays the same when other targets come and go."""
    port = "" if parts.port in (None, PORTS[parts.scheme]) else f"{parts.port}"
    full = "-".join(word for word in (parts.scheme, parts.hostname, port, shown.replace("/", "-")) if word)
    name = re.sub(r"[^a-z0-9._-]", "-", full.lower())
    if name == full and not hidden and len(name) <= _MAX_NAME:
        return name
    mark = hashlib.sha256(f"{full}\n{hidden}".encode(errors="replace")).hexdigest()[:_MARK]
    return f"{name[: _MAX_NAME - _MARK - 1]}-{mark}"
