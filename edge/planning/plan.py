"""A plan: where the network is cut and how the crossing travels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.codecs import Codec, make_codec
from shared.codecs.calibrated.codec import Calibrated
from shared.codecs.symbols import at_point, carries_symbols
from shared.engines.half import in_symbols
from shared.errors import RequestError, SettingsError
from shared.network.partition import INPUT, OUTPUT

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.planning.planner import Option
    from shared.codecs.calibrated.profile import Profile
    from shared.engines import Engine
    from shared.engines.half import Half
    from shared.network.partition import SplitPoint

DEFAULT_CODEC = "int8+zstd"
SYMBOLS_CODEC = "uint8+zstd"
"""For what an int8 network has quantised itself."""
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
    tail: Callable[[SplitPoint], Half] | None = None,
) -> Plan:
    """Compile both halves for this split point and codec (None: the usual one). Raises SettingsError.

    `profile` is called only if the codec needs a profile; `tail` gives the tail in place of the engine.
    """
    chosen = make_codec(codec or default_codec(point))
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
        try:
            chosen = chosen.bind(profile())
        except RequestError as error:
            raise SettingsError(f"--codec {chosen.name}: {error}") from None
    travels = None if point.name == OUTPUT else at_point(chosen, point).for_stream()
    label = travels.name if travels else NO_CODEC
    return Plan(point, travels, head_for(travels, engine.head(point)), (tail or engine.tail)(point), label)


def default_codec(point: SplitPoint) -> str:
    """The usual codec: one that loses nothing where the network itself has quantised what crosses."""
    if point.name == INPUT:
        return DEFAULT_PICTURE_CODEC
    return SYMBOLS_CODEC if point.is_quantised else DEFAULT_CODEC


def head_for(codec: Codec | None, head: Half) -> Half:
    """The head in the form that the codec carries without a conversion."""
    return in_symbols(head) if carries_symbols(codec) else head
