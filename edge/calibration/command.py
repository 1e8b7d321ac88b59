"""`python -m edge calibrate`: from the user's own footage to a profile, and what it costs and gives."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from edge.calibration.calibration import MIN_PICTURES, calibrate_on
from edge.calibration.pictures import Footage
from shared.codecs.calibrated.codec import Calibrated
from shared.codecs.calibrated.inter.codec import CalibratedInter
from shared.engines.load import load_network
from shared.errors import SettingsError, SourceError
from shared.network.choice import NAMED_SECONDS
from shared.network.partition import INPUT, OUTPUT
from shared.observing.metrics import Metrics
from shared.observing.progress import Progress
from shared.tasks.registry import make_task
from shared.tasks.spec import Wanted

if TYPE_CHECKING:
    from edge.calibration.calibration import Calibration
    from edge.config import CalibrationSettings
    from shared.tasks.base import Task


def calibrate(settings: CalibrationSettings, threads: int) -> int:
    """Write a profile and print the curve. Exit status 0; raises StartupError."""
    start = time.monotonic()
    progress = Progress(sys.stderr)
    footage = Footage(
        settings.source, open_timeout_s=settings.open_timeout_s, read_timeout_s=settings.read_timeout_s
    )
    network = load_network(
        settings,
        Metrics("splitdnn_edge_", (), ()),
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
    pictures = footage.read(
        network.model.recipe,
        settings.frames,
        grayscale=settings.grayscale,
        progress=lambda read: progress.show("reading frames", read),
    )
    if len(pictures) < MIN_PICTURES:
        raise SourceError(
            f"{settings.source} has {len(pictures)} frames; to calibrate takes at least {MIN_PICTURES}"
        )
    runs = footage.runs(network.model.recipe, grayscale=settings.grayscale) if settings.inter else ()
    found = calibrate_on(network, pictures, settings.target_agreement, progress.show, runs)
    data = found.profile.data
    _write(path, data)
    progress.close()
    task = make_task(network.model, Wanted())
    print(_table(found, task, f"{network.model.name} at {name}"))
    if found.streams:
        print(_streams(found, task))
    if found.chosen.agreement < settings.target_agreement:
        print(
            f"No step size reached {settings.target_agreement:.1%}; the nearest was chosen. int8+zstd hardly changes an answer."
        )
    given = {"weights": settings.weights, "recipe": settings.recipe, "task": settings.task}
    flags = "".join(f" --{key} {value}" for key, value in given.items() if value not in (None, "auto"))
    codec = CalibratedInter.name if found.streams else Calibrated.name
    print(
        f"\n{path}: {len(data):,} bytes, {len(pictures)} frames, {time.monotonic() - start:.0f} s. Use it with the same network:\n"
        f"  python -m edge --model {settings.model}{flags} --split-point {name} --codec {codec} --profile {path} …"
    )
    return 0


def _table(found: Calibration, task: Task, name: str) -> str:
    first = found.points[0]
    several = first.kept is not None
    of = f", {first.expected:,.0f} findings" if several and first.expected else ""
    width = max(9, *(len(point.step) for point in found.points))
    kept = f"{'kept':>8}" if several else ""
    lines = [
        f"{name}, {first.frames} frames that were not fitted to{of}:",
        f"{'step size':>{width}}{'bytes/frame':>13}{'agreement':>11}{'95 % interval':>17}{kept}{task.divergence_unit:>12}",
    ]
    for point in found.points:
        interval = f"{100 * point.low:.1f} – {100 * point.high:.1f}"
        kept = f"{100 * point.kept:>7.1f}%" if several and point.kept is not None else ""
        lines.append(
            f"{point.step:>{width}}{point.frame_bytes:>13,.0f}{100 * point.agreement:>10.1f}%{interval:>17}{kept}"
            f"{point.divergence:>12.4f}{'  <- recommended' if point is found.chosen else ''}"
        )
    if first.expected == 0:
        lines.append(
            "The unsplit network finds nothing in these frames, so agreement says nothing: use footage of what it is to find."
        )
    return "\n".join(lines)


def _streams(found: Calibration, task: Task) -> str:
    """What the codec of a stream gives, with one keyframe in so many frames."""
    frames = found.streams[0][1].frames
    lines = [
        f"\n{CalibratedInter.name}, {frames} frames that follow each other and were not fitted to, the first a keyframe:",
        f"{'sticky':>9}{'bytes/frame':>13}{'agreement':>11}{task.divergence_unit:>12}",
    ]
    for sticky, point in found.streams:
        lines.append(
            f"{sticky:>9}{point.frame_bytes:>13,.0f}{100 * point.agreement:>10.1f}%{point.divergence:>12.4f}"
        )
    return "\n".join(lines)


def _write(path: Path, data: bytes) -> None:
    """Write the whole file or nothing. Raises SettingsError."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        unfinished.write_bytes(data)
        unfinished.replace(path)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        raise SettingsError(f"cannot write the profile {path}: {error.strerror}") from None
