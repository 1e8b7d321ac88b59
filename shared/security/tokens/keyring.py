"""Bearer tokens: 32 random bytes as text; where they are checked, only their hashes are held.

A file of tokens has one a line, `NAME RIGHTS EXPIRY sha256:HEX`, and comments after `#`:

    gate-camera  frames,profiles  2027-01-31T00:00:00Z  sha256:5d41…
    grafana      metrics          -                     sha256:77a0…

The same name may stand there twice, with two tokens: both are the same client while one replaces the other.

A plain SHA-256 is enough, as a token is random and as long as the hash: there is no list of likely ones to try. That is why
words of one's own are no tokens. The hash is what is looked up, so what a lookup's time could tell is about a hash that nobody can
choose; nothing compares the text of tokens.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from shared.limits import MAX_TOKENS
from shared.security.rights import parse_rights, written

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from shared.security.rights import Right

TOKEN = re.compile(r"sdn_[A-Za-z0-9_-]{43}")
"""The whole of a token: base64url of 32 bytes after its prefix, by which people and scanners know one."""
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}")
"""The name of a token, which is its client's; no address of one without a token is in this form."""

_HASH = re.compile(r"sha256:([0-9a-f]{64})")
_TIMES = ("%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%MZ", "%Y-%m-%d")
_FORM = "NAME RIGHTS EXPIRY sha256:HEX"


def new_token() -> str:
    """A token that nobody has."""
    return f"sdn_{secrets.token_urlsafe(32)}"


def digest_of(secret: str) -> bytes:
    """What is held of a token: its SHA-256."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


@dataclass(frozen=True, slots=True)
class Grant:
    """What one token gives."""

    name: str
    rights: frozenset[Right]
    expires: float | None
    """Seconds since 1970; None: never."""
    digest: bytes = field(repr=False)

    def is_over(self, now: float) -> bool:
        """Whether it has expired; `now` in seconds since 1970."""
        return self.expires is not None and now >= self.expires

    def __str__(self) -> str:
        """Its line of a file of tokens."""
        return f"{self.name} {written(self.rights)} {when(self.expires)} sha256:{self.digest.hex()}"


def when(expires: float | None) -> str:
    """An expiry as a file of tokens has it."""
    return "-" if expires is None else datetime.fromtimestamp(expires, UTC).strftime(_TIMES[0])


class Keyring:
    """The tokens of one file, by their hashes."""

    def __init__(self, grants: Iterable[Grant] = ()) -> None:
        self._grants = {grant.digest: grant for grant in grants}

    def __len__(self) -> int:
        return len(self._grants)

    def __iter__(self) -> Iterator[Grant]:
        return iter(self._grants.values())

    def of_token(self, token: str) -> Grant | None:
        """The grant of a token, which may have expired; None for one that is not there, or has not a token's form."""
        return self.of_digest(digest_of(token)) if TOKEN.fullmatch(token) else None

    def of_digest(self, digest: bytes) -> Grant | None:
        """The same by the token's hash."""
        grant = self._grants.get(digest)
        return grant if grant and hmac.compare_digest(grant.digest, digest) else None


def parse_tokens(text: str) -> Keyring:
    """The tokens of a file. Raises ValueError, which names the line and never quotes what may be secret."""
    grants: dict[bytes, Grant] = {}
    # Not splitlines, which also ends lines, and comments, where no editor shows it: at U+2028, U+0085 and others.
    for number, line in enumerate(text.split("\n"), 1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        try:
            grant = _grant(words)
        except ValueError as error:
            raise ValueError(f"line {number}: {error}") from None
        if grant.digest in grants:
            raise ValueError(
                f"line {number}: the same token as {grants[grant.digest].name}'s; make a new one"
            )
        grants[grant.digest] = grant
        if len(grants) > MAX_TOKENS:
            raise ValueError(f"line {number}: more tokens than the {MAX_TOKENS} that are accepted")
    return Keyring(grants.values())


def _grant(words: list[str]) -> Grant:
    if any(TOKEN.search(word) for word in words):
        raise ValueError(
            "it holds a token itself, which belongs to whoever shows it; here belongs its hash: "
            "`splitdnn token hash NAME --rights …` reads a token and writes the line"
        )
    if len(words) != 4:
        raise ValueError(f"{len(words)} words; accepted: {_FORM}")
    name, rights, expiry, hashed = words
    if not NAME.fullmatch(name):
        raise ValueError("its name is none; accepted: a letter, and up to 63 letters, digits and `_ . -`")
    if not (found := _HASH.fullmatch(hashed)):
        raise ValueError("its last word is not `sha256:` and 64 lower-case hexadecimal digits")
    return Grant(name, parse_rights(rights), parse_expiry(expiry), bytes.fromhex(found[1]))


def parse_expiry(text: str) -> float | None:
    """Seconds since 1970 for a time in UTC, None for `-`. Raises ValueError."""
    if text == "-":
        return None
    for form in _TIMES:
        try:
            return datetime.strptime(text, form).replace(tzinfo=UTC).timestamp()
        except ValueError:
            continue
    raise ValueError("its expiry is neither `-` nor a time in UTC such as 2027-01-31 or 2027-01-31T12:00:00Z")
