"""The address of a stream, taken apart: what FFmpeg is given, and what people are shown."""

from __future__ import annotations

import re
import string
from dataclasses import dataclass, field
from urllib.parse import quote, unquote, urlsplit

from shared.errors import SourceError, suggest
from shared.observing.logs import mask_url

PORTS = {"rtsp": 554, "rtsps": 322, "http": 80, "https": 443, "rtmp": 1935, "rtmps": 443, "udp": 0, "tcp": 0}
"""What can be read, with the port where none is given; 0 where one must be."""
_LISTENS = frozenset({"udp"})
"""Whoever reads these waits at a port, so that a host need not be named."""
_LONE_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_ENDS_HOST = re.compile(r"[/?#]")


@dataclass(frozen=True)
class Address:
    """A stream's address; `name` is the only part to be shown."""

    url: str = field(repr=False)
    """With user and password, every character of theirs that means something else in a URL percent-encoded."""
    scheme: str
    host: str
    port: int
    user: str | None = field(repr=False)
    password: str | None = field(repr=False)
    name: str
    """On one line, without user, password and query."""
    hint: str
    """A clause for whoever cannot connect, with `; ` before it; empty where nothing about the address is odd."""

    @property
    def without_user(self) -> str:
        """The URL without user and password."""
        scheme, _, rest = self.url.partition("://")
        end = _end_of_authority(rest)
        return f"{scheme}://{rest[:end].rpartition('@')[2]}{rest[end:]}"


def read_address(url: str) -> Address:
    """Take `url` apart. Raises SourceError in one line, which shows neither user nor password, where it names no stream."""
    name = mask_url(url)
    scheme, _, rest = url.partition("://")
    if scheme.lower() not in PORTS:
        raise SourceError(f"{name}: {scheme}:// is no source; {suggest(scheme.lower(), PORTS)}")
    scheme = scheme.lower()
    end = _end_of_authority(rest)
    login, _, where = rest[:end].rpartition("@")
    found = _host_and_port(scheme, where)
    if found is None or rest[end:].startswith(
        "#"
    ):  # what follows it is sent to nobody, so it is no address's
        _refuse_reserved(name, scheme, rest)
    if found is None:
        raise SourceError(
            f"{name}: no such host or port; a stream is written {scheme}://host:port/path, "
            "with `user:password@` before the host if it asks for them"
        )
    hint = _hint(login, rest[end:])
    login, where, path = (
        _escaped(login).replace("@", "%40"),
        quote(where, safe=string.punctuation),
        _escaped(rest[end:]),
    )
    user, has_password, password = login.partition(":")
    return Address(
        url=f"{scheme}://{login}@{where}{path}" if login else f"{scheme}://{where}{path}",
        scheme=scheme,
        host=found[0],
        port=found[1],
        user=unquote(user) if login else None,
        password=unquote(password) if has_password else None,
        name=name,
        hint=hint,
    )


def _end_of_authority(rest: str) -> int:
    found = _ENDS_HOST.search(rest)
    return found.start() if found else len(rest)


def _host_and_port(scheme: str, where: str) -> tuple[str, int] | None:
    try:
        parts = urlsplit(f"{scheme}://{where}")
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return None
    port = PORTS[scheme] if port is None else port
    if not port or re.search(r"[\s@]", host) or not (host or scheme in _LISTENS):
        return None
    return host, port


def _hint(login: str, path: str) -> str:
    """What was understood, and may not be what was meant."""
    if "@" in path:
        return f"; if `{path[0]}` is part of a password, write {_encoded(path[0])}"
    if "@" in login:
        return f"; what stands before the last `@` was taken for user and password (to be sure, write {_encoded('@')} for theirs)"
    return ""


def _refuse_reserved(name: str, scheme: str, rest: str) -> None:
    """Say which characters of a password end it, if that is why there is no host."""
    last = rest.rfind("@")
    login = rest[: max(0, last)]
    reserved = [each for each in dict.fromkeys(login) if _ENDS_HOST.match(each)]
    if reserved:
        first = min(login.index(each) for each in reserved)
        told = " and ".join(f"{_encoded(each)} for `{each}`" for each in reserved)
        raise SourceError(
            f"{name}: user and password end at `{login[first]}`, character {first + 1} after {scheme}://; "
            f"if it belongs to them, write {told}"
        )


def _encoded(character: str) -> str:
    return f"%{ord(character):02X}"


def _escaped(text: str) -> str:
    """Encode what no URL may hold: blanks, other than ASCII, and `%` that encodes nothing."""
    return quote(_LONE_PERCENT.sub("%25", text), safe=string.punctuation)
