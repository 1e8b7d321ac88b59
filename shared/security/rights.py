"""What a caller may do. Each endpoint names the rights of which one opens it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from shared.errors import suggest


class Right(StrEnum):
    """One thing that a caller may do."""

    FRAMES = "frames"
    """Post frames, and ask what runs here and how long tails take."""
    PROFILES = "profiles"
    """Send profiles, and list those that are here."""
    BUNDLES = "bundles"
    """Fetch the network with its weights, where the cloud gives it away at all."""
    JSON = "json"
    """Post JSON: tensors as text, and `/compute`."""
    METRICS = "metrics"
    """Read `/metrics`."""
    PAGE = "page"
    """See the pages for people."""


GROUPS = {
    "edge": frozenset({Right.FRAMES, Right.PROFILES, Right.BUNDLES}),
    "all": frozenset(Right),
}
"""Rights that are given together: what an edge needs, and everything."""

NOTHING: frozenset[Right] = frozenset()


@dataclass(frozen=True, slots=True)
class Needs:
    """The rights of which an endpoint wants one; nobody is asked for any where it is open."""

    rights: frozenset[Right]

    @property
    def is_open(self) -> bool:
        """Whether everybody may."""
        return not self.rights

    def met_by(self, rights: frozenset[Right]) -> bool:
        """Whether somebody with these rights may."""
        return self.is_open or not self.rights.isdisjoint(rights)

    def __str__(self) -> str:
        return " or ".join(right for right in Right if right in self.rights)


OPEN = Needs(NOTHING)
"""For everybody, whatever else the request holds: health, and the greeting."""


def one_of(*rights: Right) -> Needs:
    """What opens to one of these rights, of which there must be one."""
    assert rights
    return Needs(frozenset(rights))


def parse_rights(text: str) -> frozenset[Right]:
    """The rights in a list such as `frames,profiles`, or a group's. Raises ValueError, which names what is known."""
    found: frozenset[Right] = NOTHING
    for word in text.split(","):
        name = word.strip()
        if name in GROUPS:
            found |= GROUPS[name]
        elif name in list(Right):
            found |= {Right(name)}
        else:
            raise ValueError(f"{name[:40]!r} is no right; {suggest(name[:40], [*Right, *GROUPS])}")
    return found


def written(rights: frozenset[Right]) -> str:
    """The list as `parse_rights` reads it, always in the same order."""
    return ",".join(right for right in Right if right in rights)
