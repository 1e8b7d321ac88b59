"""What is open to everybody: all on this machine's own address, nothing beyond it unless that is said."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from shared.errors import SettingsError
from shared.security.rights import GROUPS, NOTHING, parse_rights

if TYPE_CHECKING:
    from shared.security.rights import Right


def is_loopback(address: str) -> bool:
    """Whether only this machine reaches it; false for names other than `localhost`, which may be anything."""
    if address == "localhost":
        return True
    try:
        parsed = ipaddress.ip_address(address.strip("[]"))
    except ValueError:
        return False
    mapped = getattr(parsed, "ipv4_mapped", None)
    return bool((mapped or parsed).is_loopback)


def in_clear(url: str) -> bool:
    """Whether what is sent to this URL crosses a network unencrypted."""
    parts = urlsplit(url)
    return parts.scheme == "http" and not is_loopback(parts.hostname or "")


def shown_in_clear(address: str, *, tokens: str | None, certificate: str | None) -> bool:
    """Whether tokens that are shown to a port at this address cross a network unencrypted."""
    return bool(tokens) and not certificate and not is_loopback(address)


def open_rights(
    address: str,
    tokens: str | None,
    anonymous: str | None,
    *,
    flags: tuple[str, str, str],
    certificates: bool = False,
) -> frozenset[Right]:
    """The rights of whoever shows no token.

    `anonymous`, if given, says them. Without it, everything is open where there are no tokens and only this machine reaches `address`.
    So it is with `certificates`, where nobody comes in without one. `flags` are the three settings' names, for the error: SettingsError for
    a word that is no right, and for an address beyond this machine without tokens, which is never meant without a word.
    """
    address_flag, tokens_flag, anonymous_flag = flags
    if anonymous == "nothing":
        return NOTHING
    if anonymous is not None:
        try:
            return parse_rights(anonymous)
        except ValueError as error:
            raise SettingsError(f"{anonymous_flag} {anonymous[:80]}: {error}") from None
    if tokens:
        return NOTHING
    if certificates or is_loopback(address):
        return GROUPS["all"]
    raise SettingsError(
        f"{address_flag} {address or '(every network)'} is reached from other machines, and nobody would need a token: give "
        f"{tokens_flag} (`splitdnn token new` makes one), or say in {anonymous_flag} what everybody there may do, as in "
        f"`{anonymous_flag} all`"
    )
