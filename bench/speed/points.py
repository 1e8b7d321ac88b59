"""Where a network is cut for the report, if nobody says it: known once a cloud has described what it runs."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bench.speed.options import SpeedOptions

PICTURE = "input"
UNSPLIT = "output"


def points_of(options: SpeedOptions, description: Mapping[str, Any]) -> tuple[str, ...]:
    """Those that `options` name, else the pictures, the default one, and the cheapest at which several tensors cross, in order.

    `description` is the answer of `GET /model`.
    """
    if options.split_points:
        return options.split_points
    sizes = {name: _elements(shape) for name, shape in description["split_points"].items()}
    several = [
        name
        for name, shape in description["split_points"].items()
        if name != UNSPLIT and _is_of_several(shape)
    ]
    wanted = {PICTURE, description["default_split_point"], *sorted(several, key=sizes.__getitem__)[:1]}
    return tuple(name for name in sizes if name in wanted)


def profile_flags(profile: str, codec: str | None) -> list[str]:
    """What an edge is given whose codec needs a profile."""
    return [f"--profile={profile}"] if profile and (codec or "").partition(":")[0] == "calibrated" else []


def named(description: Mapping[str, Any]) -> str:
    """The network that was measured, for people."""
    return f"{description['model']} ({description.get('task', 'classify')}, fingerprint {description['fingerprint']})"


def _is_of_several(shape: Sequence[Any]) -> bool:
    return any(isinstance(each, list) for each in shape)


def _elements(shape: Sequence[Any]) -> int:
    return sum(prod(each) for each in shape) if _is_of_several(shape) else prod(shape)
