"""`python -m edge calibrate`: from the user's own footage to a profile, and what it costs and gives."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from edge.calibration.calibration import MIN_PICTURES, calibrate_on
from edge.calibration.frames import read_pictures
from edge.calibration.progress import Progress
from edge.frames.preprocess import Preprocess
from edge.metrics import EdgeMetrics
from edge.sources.registry import open_source
from shared.errors import SettingsError, SourceError
from shared.load import load_network
from shared.network.partition import INPUT, OUTPUT
from shared.network.weights import NAMED_SECONDS

if TYPE_CHECKING:
    from edge.calibration.calibration import Calibration
    from edge.calibration.settings import CalibrationSettings
    from shared.load import Network


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
    if len(pictures) < MIN_PICTURES:
        raise SourceError(
            f"{settings.source} has {len(pictures)} frames; to calibrate takes at least {MIN_PICTURES}"
        )
    found = calibrate_on(network, pictures, settings.target_agreement, progress.show)
    _write(path, found.profile.data)
    progress.close()
    print(_table(found, network))
    if found.chosen.agreement < settings.target_agreement:
        print(
            f"No step reached {settings.target_agreement:.1%}; the nearest was chosen. int8+zstd loses nothing that shows."
        )
    print(
        f"\n{path}: {len(found.profile.data):,} bytes, {len(pictures)} frames, {time.monotonic() - start:.0f} s. Use it with\n"
        f"  python -m edge --split-point {name} --codec calibrated --profile {path} …"
    )
    return 0


def _table(found: Calibration, network: Network) -> str:
    lines = [
        f"{network.model.name} at {network.point.name}, {found.points[0].frames} frames that were not fitted to:",
        f"{'step':>6}{'bytes/frame':>13}{'agreement':>11}{'95 % interval':>17}{'KL, nats':>10}",
    ]
    for point in found.points:
        interval = f"{100 * point.low:.1f} – {100 * point.high:.1f}"
        lines.append(
            f"{point.recipe.step:>6g}{point.frame_bytes:>13,.0f}{100 * point.agreement:>10.1f}%{interval:>17}"
            f"{point.divergence:>10.4f}{'  <- recommended' if point is found.chosen else ''}"
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
