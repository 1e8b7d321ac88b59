"""The plans: the one that the user chose, or all that the planner may choose from, compiled, with their costs."""

from __future__ import annotations

import contextlib
import logging
from functools import partial
from typing import TYPE_CHECKING

from edge.calibration.generic import profile_for, read_profile
from edge.frames.stillness import ruler_factory
from edge.planning.making.aside import set_aside
from edge.planning.making.known_options import options_of
from edge.planning.plan import NO_CODEC, SYMBOLS_CODEC, Plan, head_for, make_plan
from shared.codecs import make_codec, plugin_codecs
from shared.codecs.calibrated.codec import Calibrated
from shared.codecs.symbols import at_point, carries_symbols
from shared.engines.load import AUTO
from shared.engines.segmented import segmented
from shared.errors import ProfileContentError, SettingsError
from shared.network.partition import INPUT, OUTPUT
from shared.network.stage_ends import stage_ends
from shared.process.machine import expand_home

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge.config import EdgeSettings
    from edge.planning.making.survey import Codecs
    from shared.codecs import Codec
    from shared.engines.load import Network
    from shared.network.partition import Shape, SplitPoint

_log = logging.getLogger(__name__)

PICTURE_CODECS = (
    "jpeg:quality=75,subsampling=2",
    "jpeg:quality=75,subsampling=0",
    "jpeg:quality=85,subsampling=0",
    "jpeg:quality=90,subsampling=0",
    "jpeg:quality=95,subsampling=0",
    "png",
)
VIDEO_CODECS = (
    "h264:quality=23",
    "h264:quality=28",
    "h264:quality=33",
    "h265:quality=25",
    "h265:quality=31",
)
"""Where this machine has their encoders."""
TENSOR_CODECS = ("int8+zstd", "float16+zstd")
PROFILE_CODECS = (Calibrated.name, "calibrated-inter", "calibrated-inter:sticky=40")
"""Where there is a profile; the later ones, if it says what follows a known frame."""


def make_plans(settings: EdgeSettings, network: Network, *, beside_frames: bool = False) -> list[Plan]:
    """The plan that the user chose, or all that the planner may choose from; compiled. Raises StartupError or EngineError.

    `beside_frames`: frames are running, so what is surveyed now is not kept for the next start.
    """
    return (
        _all(settings, network, keep=not beside_frames)
        if AUTO in (settings.split_point, settings.codec)
        else [_one(settings, network)]
    )


def _one(settings: EdgeSettings, network: Network) -> Plan:
    plan = make_plan(
        network.point,
        network.engine,
        settings.codec or (Calibrated.name if settings.profile else None),
        partial(profile_for, network, settings.profile, settings.cache_dir),
        tail=None
        if settings.verify_share
        else lambda point: set_aside(network.engine, point, network.bundle),
    )
    if settings.still_threshold:
        ruler_factory(plan.codec)  # raises SettingsError if stillness cannot be seen in what travels
    return plan


def _all(settings: EdgeSettings, network: Network, *, keep: bool) -> list[Plan]:
    profiles = _profiles(settings, network)
    points = _points(settings, network, profiles)
    codecs = _codecs(settings, points, profiles)
    start, end = network.partition.ends
    chain = segmented(network.engine, [start, *(point for point in points if point not in (start, end)), end])
    options = options_of(
        network,
        chain,
        codecs,
        source=settings.source,
        grayscale=settings.grayscale,
        cache_dir=settings.cache_dir,
        keep=keep,
    )
    plans = []
    for option in options:
        point = next(point for point in points if point.name == option.split_point)
        codec = codecs[point.name][option.codec].for_stream() if option.codec else None
        label = option.codec or NO_CODEC
        head = head_for(codec, chain.head(point))
        plans.append(Plan(point, codec, head, chain.tail(point), label, option))
    if not plans:
        raise SettingsError(
            "no codec can carry what crosses at any of the split points that the planner may choose from, as the warnings say; choose "
            "--split-point and --codec by hand"
        )
    return plans


def _profiles(settings: EdgeSettings, network: Network) -> dict[str, Calibrated]:
    """The user's profiles by split point; files of a folder that are of another network are left out with a warning."""
    if not settings.profile:
        return {}
    path = expand_home(settings.profile)
    files = sorted(path.glob("*.safetensors")) if path.is_dir() else [path]
    found = {}
    for file in files:
        try:
            profile = read_profile(network.model, file)
        except SettingsError as error:
            if not path.is_dir():
                raise
            _log.warning("%s", error)
        else:
            point = network.partition.point(profile.split_point)
            if profile.shapes != point.shapes:
                raise SettingsError(
                    f"--profile {file} is of tensors {_listed(profile.shapes)}, and at {point.name} {_listed(point.shapes)} travel"
                )
            if point.name in found:
                _log.warning("--profile %s: there is another one for %s; this one is taken", file, point.name)
            found[point.name] = Calibrated(profile)
    if not found:
        raise SettingsError(
            f"--profile {path}: no profile of this network in this folder; `python -m edge calibrate` makes them"
        )
    return found


def _points(settings: EdgeSettings, network: Network, profiles: dict[str, Calibrated]) -> list[SplitPoint]:
    """The split points to choose from, in the network's order."""
    if settings.split_point not in (None, AUTO):
        return [network.point]
    points = network.partition.points
    chosen = {point.name for point in stage_ends(points.values())} | set(profiles) | {INPUT, OUTPUT}
    return [point for name, point in points.items() if name in chosen]


def _codecs(settings: EdgeSettings, points: Sequence[SplitPoint], profiles: dict[str, Calibrated]) -> Codecs:
    found: Codecs = {}
    pixels = next((point.elements for point in points if point.name == INPUT), 0)
    for point in points:
        if point.name == OUTPUT:
            found[OUTPUT] = {}
            continue
        names = _names(settings, point, pixels)
        usable = {name: at_point(make_codec(name), point) for name in names}
        if point.name in profiles:
            usable |= _with_profile(settings.codec, profiles[point.name])
        if settings.session == "off" and settings.codec in (None, AUTO):
            usable = {name: codec for name, codec in usable.items() if not codec.inter}
        if settings.still_threshold:
            usable = {name: codec for name, codec in usable.items() if _has_symbols(codec)}
        if usable:
            found[point.name] = usable
    if not any(found.values()):
        raise SettingsError(
            f"--codec {settings.codec} fits none of the split points that the planner may choose from: {Calibrated.name} "
            "needs --profile, a file or a folder of them; pictures travel at input only; and --still-threshold needs int8, "
            f"int8+zstd or {Calibrated.name}"
        )
    return found


def _names(settings: EdgeSettings, point: SplitPoint, pixels: int) -> list[str]:
    """The names of codecs that need no profile, for this split point."""
    if settings.codec not in (None, AUTO) and isinstance(make_codec(settings.codec), Calibrated):
        return []
    if settings.codec in (None, AUTO):
        carries = "picture" if point.name == INPUT else "tensor"
        plugins = [codec.name for codec in plugin_codecs() if codec.carries == carries]
        if point.name == INPUT:
            return [*picture_codecs(), *plugins]
        if (
            point.is_quantised
        ):  # what the network has quantised itself; any other codec would take more bytes or round once more
            return [SYMBOLS_CODEC, *plugins]
        # A large tensor in float16 takes more bytes than any picture, and saves the cloud nothing that int8 would not.
        return [
            name
            for name in TENSOR_CODECS
            if name != "float16+zstd" or point.elements <= 1.5 * (pixels or point.elements)
        ] + plugins
    codec = make_codec(settings.codec)
    if carries_symbols(codec) and not point.is_quantised:
        return []
    return [settings.codec] if (codec.carries == "picture") == (point.name == INPUT) else []


def picture_codecs() -> list[str]:
    """Those for pictures, as far as this machine has their encoders."""
    return [*PICTURE_CODECS, *filter(_is_here, VIDEO_CODECS)]


def _with_profile(asked: str | None, codec: Calibrated) -> dict[str, Codec]:
    """The codecs by name that need this one's profile, as far as it has what they need."""
    assert codec.profile is not None
    names: tuple[str, ...] = PROFILE_CODECS
    if asked not in (None, AUTO):
        names = (asked,) if isinstance(make_codec(asked), Calibrated) else ()
    found: dict[str, Codec] = {}
    for name in names:
        if name == Calibrated.name:
            found[name] = codec
        elif _is_here(name):
            unbound = make_codec(name)
            assert isinstance(unbound, Calibrated)
            with contextlib.suppress(ProfileContentError):
                found[name] = unbound.bind(codec.profile)
    return found


def _is_here(name: str) -> bool:
    """Whether this machine has what the codec takes."""
    try:
        make_codec(name)
    except SettingsError:
        return False
    return True


def _listed(shapes: Sequence[Shape]) -> str:
    return " + ".join(map(str, shapes))


def _has_symbols(codec: Codec) -> bool:
    """Whether stillness can be seen in what this codec sends."""
    try:
        ruler_factory(codec)
    except SettingsError:
        return False
    return True
