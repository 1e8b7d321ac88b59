"""What the planner may choose from, compiled: split points, codecs, and what each costs here."""

from __future__ import annotations

import contextlib
import logging
import statistics
import time
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from edge.calibration.frames import read_pictures
from edge.calibration.generic import profile_for, read_profile
from edge.frames.preprocess import Preprocess
from edge.frames.ruler import rulers
from edge.frames.stillness import Stillness
from edge.planning.plan import NO_CODEC, Plan, make_plan
from edge.planning.survey import from_json, survey, to_json
from edge.sources.registry import open_source
from shared.codecs import make_codec, plugin_codecs
from shared.codecs.calibrated.codec import Calibrated
from shared.engines.segmented import segmented
from shared.errors import SettingsError, SplitDNNError
from shared.load import AUTO
from shared.network.partition import INPUT, OUTPUT
from shared.network.stage_ends import stage_ends
from shared.process.cache import keep, key_of, machine, recall

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from edge.config import EdgeSettings
    from edge.planning.option import Option
    from shared.codecs import Codec
    from shared.engines.segmented import Segmented
    from shared.load import Network
    from shared.network.partition import SplitPoint

_log = logging.getLogger(__name__)

PICTURE_CODECS = (
    "jpeg:quality=75,subsampling=2",
    "jpeg:quality=75,subsampling=0",
    "jpeg:quality=85,subsampling=0",
    "jpeg:quality=90,subsampling=0",
    "jpeg:quality=95,subsampling=0",
    "png",
)
TENSOR_CODECS = ("int8+zstd", "float16+zstd")
_PICTURES = 48
_MAX_READ = 600
"""Frames of a long video: a start shall not wait for its end."""
_VERSION = 1

Codecs = dict[str, dict[str, "Codec"]]
"""By split point and name; at `output` there is none."""


def make_plans(settings: EdgeSettings, network: Network) -> list[Plan]:
    """The plan that the user chose, or all that the planner may choose from; compiled. Raises StartupError or EngineError."""
    return (
        _all(settings, network)
        if AUTO in (settings.split_point, settings.codec)
        else [_one(settings, network)]
    )


def _one(settings: EdgeSettings, network: Network) -> Plan:
    return make_plan(
        network.point,
        network.engine,
        settings.codec or (Calibrated.name if settings.profile else None),
        partial(profile_for, network, settings.profile, settings.cache_dir),
        still_threshold=settings.still_threshold,
    )


def _all(settings: EdgeSettings, network: Network) -> list[Plan]:
    profiles = _profiles(settings, network)
    points = _points(settings, network, profiles)
    codecs = _codecs(settings, points, profiles)
    start, end = network.partition.ends
    chain = segmented(network.engine, [start, *(point for point in points if point not in (start, end)), end])
    by_name = {point.name: point for point in points}
    return [
        _plan(settings, chain, by_name[option.split_point], codecs, option)
        for option in _options(settings, network, chain, codecs)
    ]


def _profiles(settings: EdgeSettings, network: Network) -> dict[str, Calibrated]:
    """By split point; of the files in a folder, those that are of this network."""
    if not settings.profile:
        return {}
    path = Path(settings.profile).expanduser()
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
            if profile.shape != point.shape:
                raise SettingsError(
                    f"--profile {file} is of tensors {profile.shape}, and at {point.name} {point.shape} travel"
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
    """In the network's order."""
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
        here = {name: make_codec(name) for name in names}
        if settings.codec in (None, AUTO, Calibrated.name) and point.name in profiles:
            here[Calibrated.name] = profiles[point.name]
        if settings.still_threshold:
            here = {name: codec for name, codec in here.items() if _has_symbols(codec)}
        if here:
            found[point.name] = here
    if not any(found.values()):
        raise SettingsError(
            f"--codec {settings.codec} fits none of the split points that the planner may choose from: {Calibrated.name} "
            "needs --profile, a file or a folder of them; pictures travel at input only; and --still-threshold needs int8, "
            f"int8+zstd or {Calibrated.name}"
        )
    return found


def _names(settings: EdgeSettings, point: SplitPoint, pixels: int) -> list[str]:
    """Of codecs that are at hand without a profile."""
    if settings.codec == Calibrated.name:
        return []
    if settings.codec in (None, AUTO):
        carries = "picture" if point.name == INPUT else "tensor"
        plugins = [codec.name for codec in plugin_codecs() if codec.carries == carries]
        if point.name == INPUT:
            return [*PICTURE_CODECS, *plugins]
        # Halves of a large tensor are more bytes than any picture, and save the cloud nothing that int8 would not.
        return [
            name
            for name in TENSOR_CODECS
            if name != "float16+zstd" or point.elements <= 1.5 * (pixels or point.elements)
        ] + plugins
    is_picture = make_codec(settings.codec).carries == "picture"
    return [settings.codec] if is_picture == (point.name == INPUT) else []


def _has_symbols(codec: Codec) -> bool:
    """Whether a still scene shows in what travels."""
    try:
        rulers(codec)
    except SettingsError:
        return False
    return True


def _options(settings: EdgeSettings, network: Network, chain: Segmented, codecs: Codecs) -> list[Option]:
    """What was surveyed before, here and with the same choice, or else now."""
    engine = network.engine.describe()
    key = "survey-" + key_of(
        str(_VERSION), version("torch"), version("openvino"), network.model.fingerprint.hex(), str(sorted(engine.items())), machine(), _identity(settings.source),
        str(settings.grayscale),
        *codecs, *(f"{point} {name} {codec.revision}" for point, here in codecs.items() for name, codec in here.items()),
    )  # fmt: skip
    kept = from_json(recall(settings.cache_dir, key))
    if kept is not None:
        return kept
    preprocess = Preprocess(network.model.recipe, grayscale=settings.grayscale)
    pictures, preprocess_s = _footage(settings, preprocess)
    _log.info("surveying %d split points on %d pictures; this is done once", len(codecs), len(pictures))
    options = survey(chain, network.model.info(), pictures, codecs, preprocess_s=preprocess_s)
    keep(settings.cache_dir, key, to_json(options))
    return options


def _identity(source: str) -> str:
    """Its name, and of a file which version."""
    try:
        about = Path(source).stat()
    except (OSError, ValueError):
        return source
    return f"{source} {about.st_size} {about.st_mtime_ns}"


def _footage(settings: EdgeSettings, preprocess: Preprocess) -> tuple[list[NDArray[np.uint8]], float]:
    """Pictures of the source itself if it can be read twice, else drawn ones; and what preparing one takes, in seconds."""
    seconds: list[float] = []

    def prepare(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
        start = time.perf_counter()
        picture = preprocess(frame)
        seconds.append(time.perf_counter() - start)
        return picture

    spec, timeouts = settings.source, {"open_timeout_s": 1.0, "read_timeout_s": 1.0}
    if open_source(spec, **timeouts).live:
        _log.warning(
            "the source cannot be read twice, so bytes and agreement are those of drawn frames until its own correct the bytes"
        )
        spec = f"synthetic:fps=0,frames={4 * _PICTURES}"
    source = open_source(spec, **timeouts)
    with contextlib.closing(source):
        source.open()
        pictures = read_pictures(source, prepare, _PICTURES, within=_MAX_READ)
    if not pictures:
        raise SplitDNNError(f"{source.name}: no frame to survey the split points with")
    return pictures, statistics.median(seconds)


def _plan(
    settings: EdgeSettings, chain: Segmented, point: SplitPoint, codecs: Codecs, option: Option
) -> Plan:
    codec = codecs[point.name][option.codec].for_stream() if option.codec else None
    # Where nothing travels, nothing needs to be compared.
    still = Stillness(codec, settings.still_threshold if codec else 0.0)
    return Plan(point, codec, chain.head(point), chain.tail(point), still, option.codec or NO_CODEC, option)
