"""A plan: where the network is cut and how the crossing travels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.codecs import Codec, make_codec
from shared.codecs.calibrated.codec import Calibrated
from shared.errors import SettingsError
from shared.network.partition import INPUT, OUTPUT

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.planning.planner import Option
    from shared.codecs.calibrated.profile import Profile
    from shared.engines import Engine
    from shared.engines.half import Half
    from shared.network.partition import SplitPoint

DEFAULT_CODEC = "int8+zstd"
DEFAULT_PICTURE_CODEC = "jpeg"
NO_CODEC = "none"


@dataclass(frozen=True, eq=False)
class Plan:
    """A split point and a codec, compiled; `codec` is None at `output`, where nothing travels.

    Two plans are never equal, as each belongs to one network.
    """

    split_point: SplitPoint
    codec: Codec | None
    head: Half
    tail: Half
    label: str
    """The codec as metrics and records name it."""
    option: Option | None = None
    """What the planner knows of it; None for a plan that the user chose."""

    @property
    def profile(self) -> Profile | None:
        """The profile that the cloud needs to decode this plan's frames."""
        return self.codec.profile if isinstance(self.codec, Calibrated) else None


def make_plan(
    point: SplitPoint,
    engine: Engine,
    codec: str | None,
    profile: Callable[[], Profile] | None = None,
) -> Plan:
    """Compile both halves for this split point and codec (None: the usual one). Raises SettingsError.

    `profile` is called only if the codec needs a profile.
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
    travels = None if point.name == OUTPUT else chosen.for_stream()
    return Plan(point, travels, engine.head(point), engine.tail(point), travels.name if travels else NO_CODEC)
