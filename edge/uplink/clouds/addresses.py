"""The clouds' addresses as the user gives them, and what a cloud is called where nothing secret may be shown."""

from __future__ import annotations

import argparse
from typing import Any
from urllib.parse import urlsplit

from shared.limits import MAX_CLOUDS
from shared.observing.logs import mask_url
from shared.security.exposure import is_loopback

_PORTS = {"http": 80, "https": 443}


class Joined(argparse.Action):
    """A flag that may be repeated: the values are joined by commas, as they may be given at once."""

    def __call__(self, _parser: object, namespace: object, values: Any, _flag: object = None) -> None:
        """Add one more value."""
        earlier = getattr(namespace, self.dest, None)
        setattr(namespace, self.dest, values if earlier is None else f"{earlier},{values}")


def urls_of(text: str) -> tuple[str, ...]:
    """The addresses in a setting, in their order, without the slash at their ends. Raises ValueError for what is none.

    Several are separated by commas; a comma inside an address is written as %2C.
    """
    urls = tuple(each.strip().rstrip("/") for each in text.split(","))
    if len(urls) > MAX_CLOUDS:
        raise ValueError(f"{len(urls)} addresses; accepted: at most {MAX_CLOUDS}")
    for number, url in enumerate(urls, 1):
        if not _is_http(url):
            which = (
                f"{mask_url(url) or 'nothing'}, number {number} of {len(urls)}, is " if len(urls) > 1 else ""
            )
            raise ValueError(f"{which}not a URL such as http://cloud:8881")
    names = [name_of(url) for url in urls]
    if twice := {name for name in names if names.count(name) > 1}:
        raise ValueError(f"{min(twice)} is given twice; each cloud has one address")
    schemes = {urlsplit(url).scheme for url in urls}
    if len(schemes) > 1 and not all(is_loopback(urlsplit(url).hostname or "") for url in urls):
        raise ValueError(
            "http:// and https:// addresses together, of which some would see frames and tokens in the open; give all clouds TLS, or none"
        )
    return urls


def name_of(url: str) -> str:
    """Scheme, host, port and path of a cloud's address: no user, password or query. The same for all spellings of an address."""
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    port = "" if parts.port in (None, _PORTS.get(parts.scheme)) else f":{parts.port}"
    return f"{parts.scheme}://{host}{port}{parts.path.rstrip('/')}"


def _is_http(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port beyond 65535, half an IPv6 address
        return False
