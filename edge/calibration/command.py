"""`python -m edge calibrate`: from the user's own footage to a profile, and what it costs and gives.

pictures ─► head ─► tensors ─┬─► three quarters are fitted to, at several steps
                             └─► one quarter is coded, decoded and finished by the tail: bytes against agreement
The step that is the cheapest at the wanted agreement is fitted to all of them and written.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edge.calibration.curve import Point, choose, measure
from edge.calibration.fit import fit_profile
from edge.calibration.frames import read_pictures, variants
from edge.calibration.importance import measure_importance
from edge.calibration.progress import Progress
from edge.calibration.recipes import recipes
from edge.frames.preprocess import Preprocess
from edge.metrics import EdgeMetrics
from edge.sources.opening import open_source
from shared.errors import SettingsError, SourceError
from shared.load import load_network
from shared.network.partition import INPUT, OUTPUT
from shared.network.weights import NAMED_SECONDS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge.calibration.fit import Recipe
    from edge.calibration.settings import CalibrationSettings
    from shared.codecs.calibrated.profile import Profile
    from shared.load import Network

_HELD_OUT = 4
_FEWEST = 24


def calibrate(settings: CalibrationSettings, threads: int) -> int:
    """Write a profile and print the curve. Exit status 0; raises StartupError."""
    start = time.monotonic()
    progress = Progress(sys.stderr)
    source = open_source(
        settings.source, open_timeout_s=settings.open_timeout_s, read_timeout_s=settings.read_timeout_s
    )
    metrics = EdgeMetrics()
    network = load_network(
        settings,
        metrics,
        "head",
        weights=settings.weights,
        seed=settings.seed,
        patience_s=NAMED_SECONDS,
        threads=threads,
    )
    name = network.point.name
    if name in (INPUT, OUTPUT):
        raise SettingsError(f"nothing to calibrate at {name}: choose a split point between the two ends")
    path = Path(settings.profile or f"{network.model.name}-{name}.safetensors")
    if not path.parent.is_dir():
        raise SettingsError(f"--profile {path}: the folder {path.parent} does not exist")
    prepare = Preprocess(network.model.recipe, grayscale=settings.grayscale)
    try:
        source.open()
        pictures = read_pictures(
            source, prepare, settings.frames, lambda read: progress.show("reading frames", read)
        )
    finally:
        source.close()
    if len(pictures) < _FEWEST:
        raise SourceError(
            f"{settings.source} has {len(pictures)} frames; to calibrate takes at least {_FEWEST}"
        )
    points, profile = _fit(network, pictures, settings.target_agreement, progress)
    chosen = choose(points, settings.target_agreement)
    _write(path, profile.data)
    progress.close()
    print(_table(points, chosen, network))
    if chosen.agreement < settings.target_agreement:
        print(
            f"No step reached {settings.target_agreement:.1%}; the nearest was chosen. int8+zstd loses nothing that shows."
        )
    print(
        f"\n{path}: {len(profile.data):,} bytes, {len(pictures)} frames, {time.monotonic() - start:.0f} s. Use it with\n"
        f"  python -m edge --split-point {name} --codec calibrated --profile {path} …"
    )
    return 0


def _fit(
    network: Network, pictures: list[NDArray[np.uint8]], target: float, progress: Progress
) -> tuple[list[Point], Profile]:
    point, engine = network.point, network.engine
    head, tail = engine.head(point), engine.tail(point)

    def cross(pictures: list[NDArray[np.uint8]]) -> list[NDArray[np.float32]]:
        found = []
        for number, picture in enumerate(pictures):
            progress.show("running the head", number, len(pictures))
            found.append(np.array(head(network.model.recipe.normalise(picture)[None])[0]))
        return found

    # The last quarter, not every fourth: neighbours in a video are alike.
    fitted = len(pictures) - len(pictures) // _HELD_OUT
    tensors = cross(pictures)
    held_out = tensors[fitted:]
    logits = np.concatenate([np.array(tail(tensor[None])) for tensor in held_out])
    extra = cross(variants(pictures[:fitted]))
    progress.show("measuring importance")
    importance = measure_importance(network.partition, point, tensors[:fitted])

    def fit(tensors: list[NDArray[np.float32]], recipe: Recipe, about: dict[str, str]) -> Profile:
        return fit_profile(
            tensors,
            recipe,
            fingerprint=network.model.fingerprint,
            split_point=point.name,
            importance=importance,
            about=about,
        )

    points = []
    signed = min(float(tensor.min()) for tensor in tensors[:fitted]) < 0
    tried = recipes(point.shape, signed=signed, pooled=importance.pooled)
    for number, recipe in enumerate(tried):
        progress.show("fitting and measuring", number, len(tried) + 1)
        points.append(measure(fit(tensors[:fitted] + extra, recipe, {}), recipe, held_out, logits, tail))
    chosen = choose(points, target)
    progress.show("fitting and measuring", len(tried), len(tried) + 1)
    about = {
        "model": network.model.name,
        "frame_bytes": f"{chosen.frame_bytes:.0f}",
        "agreement": f"{chosen.agreement:.4f}",
        "divergence": f"{chosen.divergence:.5f}",
        "held_out_frames": str(chosen.frames),
    }
    return points, fit(tensors + extra, chosen.recipe, about)


def _table(points: list[Point], chosen: Point, network: Network) -> str:
    lines = [
        f"{network.model.name} at {network.point.name}, {points[0].frames} frames that were not fitted to:",
        f"{'step':>6}{'bytes/frame':>13}{'agreement':>11}{'95 % interval':>17}{'KL, nats':>10}",
    ]
    for point in points:
        interval = f"{100 * point.low:.1f} – {100 * point.high:.1f}"
        lines.append(
            f"{point.recipe.step:>6g}{point.frame_bytes:>13,.0f}{100 * point.agreement:>10.1f}%{interval:>17}"
            f"{point.divergence:>10.4f}{'  <- recommended' if point is chosen else ''}"
        )
    return "\n".join(lines)


def _write(path: Path, data: bytes) -> None:
    """Whole or not at all."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        unfinished.write_bytes(data)
        unfinished.replace(path)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        raise SettingsError(f"cannot write the profile {path}: {error.strerror}") from None
