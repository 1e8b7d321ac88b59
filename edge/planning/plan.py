"""Where the network is cut and how the tensor travels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.frames.stillness import Stillness
from shared.codecs import Codec, make_codec
from shared.codecs.calibrated.codec import Calibrated
from shared.errors import SettingsError
from shared.network.partition import INPUT, OUTPUT

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.planning.option import Option
    from shared.codecs.calibrated.profile import Profile
    from shared.engines import Engine
    from shared.engines.base import Part
    from shared.network.partition import SplitPoint

DEFAULT_CODEC = "int8+zstd"
DEFAULT_PICTURE_CODEC = "jpeg"
NO_CODEC = "none"


@dataclass(frozen=True)
class Plan:
    """One choice, compiled; `codec` is None at `output`, where nothing travels."""

    split_point: SplitPoint
    codec: Codec | None
    head: Part
    tail: Part
    stillness: Stillness
    label: str
    """The codec as metrics and records name it."""
    option: Option | None = None
    """What is known of it; None for one that the user has chosen."""

    @property
    def profile(self) -> Profile | None:
        """What the cloud must have to decode its frames."""
        return self.codec.profile if isinstance(self.codec, Calibrated) else None


def make_plan(
    point: SplitPoint,
    engine: Engine,
    codec: str | None,
    profile: Callable[[], Profile] | None = None,
    *,
    still_threshold: float = 0.0,
) -> Plan:
    """Compile both halves; without a codec the split point's usual one. Raises SettingsError.

    `profile` is asked for one where the codec needs it; `still_threshold` as in edge/frames/stillness.py.
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
    still = Stillness(travels, still_threshold)
    return Plan(
        point, travels, engine.head(point), engine.tail(point), still, travels.name if travels else NO_CODEC
    )
