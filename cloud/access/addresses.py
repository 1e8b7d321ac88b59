"""From which address a request comes, where proxies stand before the cloud.

A header says what its sender likes, and each proxy appends what it saw. So a header is believed only from a peer that the
operator named (`--trusted-proxies`), and is read from the right: the first address that is no trusted proxy is the client's.
"""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING

from shared.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from ipaddress import IPv4Network, IPv6Network
    from typing import Protocol

    class Headers(Protocol):
        """What is asked of a request's headers, as Tornado has them."""

        def get_list(self, name: str) -> list[str]:
            """Every value of one name, in order."""


_Address = IPv4Address | IPv6Address

_REMEMBERED = 1024
"""Peers whose addresses are not read again."""
_MAX_HOPS = 16
"""Addresses that are read of a header, from the right."""
_SITE_BITS = 64
"""Bits of an IPv6 address that say whose it is: a subscriber has all addresses below, and changes them at will."""
_NAMED = re.compile(r'\s*+for\s*+=\s*+("[^"\\]*+"|[^\s;,"]*+)\s*+', re.IGNORECASE)
"""It gives nothing back that it has read (`*+`): of spaces by the thousand it would try every way to share them out."""
_BRACKETED = re.compile(r"\[([^\]]*)\](?::[0-9]{1,5})?")
_ELEMENT = re.compile(r'(?:"[^"\\]*"|[^,"])*')


class TrustedProxies:
    """Whose forwarded addresses are believed."""

    def __init__(self, text: str = "") -> None:
        """`text` names addresses and networks, separated by commas, as in `10.0.0.7, 10.1.0.0/16`. Raises SettingsError."""
        self._networks: list[IPv4Network | IPv6Network] = []
        for each in filter(None, (part.strip() for part in text.split(","))):
            try:
                self._networks.append(ip_network(each))
            except ValueError:
                raise SettingsError(
                    f"--trusted-proxies: {each[:60]!r} is neither an address nor a network; accepted: as in 10.0.0.7,10.1.0.0/16,fd00::/8"
                ) from None

    def __bool__(self) -> bool:
        return bool(self._networks)

    def includes(self, address: str) -> bool:
        """Whether this peer is one of them."""
        return self._includes(_parsed(address))

    def client_of(self, peer: str, headers: Headers) -> str:
        """The address that a request is charged to: `peer`'s own, or the one that trusted proxies saw; for IPv6, its /64.

        `X-Forwarded-For` and `Forwarded` (RFC 7239) are read. A proxy passes on the one that it does not know as its sender wrote
        it, so where both are there and disagree, or where one is malformed, the request is charged to the peer.
        """
        address, charged = _known(peer)
        if address is not None and self._networks and self._includes(address):
            hops = [
                self._seen(address, chain)
                for chain in (_x_forwarded(headers), _forwarded(headers))
                if chain is not None
            ]
            if hops and all(hop == hops[0] for hop in hops):
                return _charged(hops[0])
        return charged

    def _includes(self, address: _Address | None) -> bool:
        return address is not None and any(address in network for network in self._networks)

    def _seen(self, peer: _Address, chain: Iterable[str]) -> _Address:
        """The last address of the chain that is no trusted proxy's; the peer's if something stands there that is no address."""
        seen = peer
        for text in chain:
            address = _parsed(text)
            if address is None:
                return peer
            seen = address
            if not self._includes(address):
                break
        return seen


def _x_forwarded(headers: Headers) -> list[str] | None:
    """The addresses of X-Forwarded-For, from the right; None without the header."""
    values = headers.get_list("X-Forwarded-For")
    if not values:
        return None
    return [part.strip(" \t") for part in ",".join(values).rsplit(",", _MAX_HOPS)[-_MAX_HOPS:]][::-1]


def _forwarded(headers: Headers) -> list[str] | None:
    """The `for=` of each element of Forwarded, from the right; an element without one, or that is no element, is as "?"."""
    values = headers.get_list("Forwarded")
    if not values:
        return None
    found = []
    for element in _elements(",".join(values))[-_MAX_HOPS:]:
        named = [match for part in element.split(";") if (match := _NAMED.fullmatch(part))]
        found.append(named[0][1].strip('"') if len(named) == 1 else "?")
    return found[::-1]


def _elements(text: str) -> list[str]:
    """The elements of a list whose quoted strings may hold commas; one that is malformed becomes "?"."""
    elements, start = [], 0
    while True:
        match = _ELEMENT.match(text, start)
        assert match
        elements.append(match[0])
        if match.end() == len(text):
            return elements
        if text[match.end()] != ",":
            return [*elements[:-1], "?"]
        start = match.end() + 1


def _parsed(text: str) -> _Address | None:
    """An address as proxies write it, with or without a port; an IPv4 one in IPv6's clothes is the IPv4 one."""
    text = text.strip(" \t")
    if text.startswith("["):
        bracketed = _BRACKETED.fullmatch(text)
        if not bracketed:
            return None
        text = bracketed[1]
    elif text.count(":") == 1:
        text, _, port = text.partition(":")
        if not re.fullmatch("[0-9]{1,5}", port):
            return None
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


def charged_to(peer: str) -> str:
    """Whom a connection from this address is charged to before a request has come on it."""
    return _known(peer)[1]


@lru_cache(_REMEMBERED)
def _known(peer: str) -> tuple[_Address | None, str]:
    """The address of a peer, and whom it is charged to; reading one takes ten times as long as looking it up."""
    address = _parsed(peer)
    return address, peer if address is None else _charged(address)


def _charged(address: _Address) -> str:
    if isinstance(address, IPv4Address):
        return str(address)
    return str(ip_network((address, _SITE_BITS), strict=False))
