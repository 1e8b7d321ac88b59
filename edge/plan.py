"""Where the network is cut and how the tensor travels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.codecs import Codec, make_codec
from shared.codecs.calibrated import Calibrated
from shared.errors import SettingsError
from shared.partition import INPUT, OUTPUT

if TYPE_CHECKING:
    from collections.abc import Callable

    from shared.engines import Engine
    from shared.engines.base import Part
    from shared.partition import Partition, SplitPoint
    from shared.profile import Profile

DEFAULT_CODEC = "int8+zstd"
DEFAULT_PICTURE_CODEC = "jpeg"


@dataclass(frozen=True)
class Plan:
    """One choice, compiled; `codec` is None at `output`, where nothing travels."""

    split_point: SplitPoint
    codec: Codec | None
    head: Part
    tail: Part


def make_plan(
    point: SplitPoint, engine: Engine, codec: str | None, profile: Callable[[], Profile] | None = None
) -> Plan:
    """Compile both halves; without a codec the split point's usual one. Raises SettingsError.

    `profile` is asked for one where the codec needs it.
    """
    chosen = make_codec(codec or (DEFAULT_PICTURE_CODEC if point.name == INPUT else DEFAULT_CODEC))
    if chosen.carries == "picture" and point.name != INPUT:
        raise SettingsError(
            f"codec {chosen.name} carries pictures, and at {point.name} a tensor travels; "
            f"choose --codec {DEFAULT_CODEC}, or --split-point {INPUT}"
        )
    if isinstance(chosen, Calibrated) and point.name != OUTPUT:
        if point.name == INPUT or profile is None:
            raise SettingsError(
                f"codec {chosen.name} is for tensors inside the network, not for {point.name}"
            )
        chosen = chosen.bind(profile())
    return Plan(point, None if point.name == OUTPUT else chosen, engine.head(point), engine.tail(point))


def describe_split_points(partition: Partition) -> str:
    """A table of every split point: name, shape, elements, float32 bytes, millions of MACs on each side."""
    width = max(len(name) for name in partition.points)
    lines = [
        f"{'split point':<{width}}  {'shape':<16}{'elements':>10}{'float32 B':>12}{'head MMACs':>12}{'tail MMACs':>12}"
    ]
    lines += [
        f"{point.name:<{width}}  {'x'.join(map(str, point.shape)):<16}{point.elements:>10}{point.float32_bytes:>12}"
        f"{point.head_macs / 1e6:>12.1f}{point.tail_macs / 1e6:>12.1f}"
        for point in partition.points.values()
    ]
    return "\n".join(lines)
