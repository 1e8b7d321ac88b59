"""`python -m bench rate --clip CLIP`: sessions of a clip's consecutive frames, every codec as a stream."""

from __future__ import annotations

import contextlib
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.rate.streams.footage import LEAST, Footage
from bench.rate.streams.noise import Noise
from bench.rate.streams.plan import settings, stream_points
from bench.rate.streams.study import BATCH, Study
from bench.rate.streams.tables import About, figure, tables, together
from bench.report.progress import Outline, Progress
from bench.report.report import Findings, about, publish

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from bench.harness.network import Network
    from bench.rate.options import RateOptions
    from bench.rate.streams.outcome import Outcome
    from bench.rate.streams.plan import Setting

_COMPILE_S, _FIT_S, _IMPORTANCE_S, _CODEC_S, _WHOLE_S = 10.0, 10.0, 12.0, 0.012, 0.03
"""Guesses: seconds to compile a network's halves, to fit a profile, for what the fits share, for one frame's codec, for the whole network."""
RUNS, RUN = 6, 16
"""How often, and for how many frames, a codec's predictions from one frame to the next are looked at."""


@dataclass(frozen=True)
class Part:
    """What calibrates and what is measured."""

    footage: Footage
    start: int
    """The first frame of the session."""
    count: int
    """Frames of the session."""
    fitted: Footage
    fitted_end: int
    """Frames before this one calibrate."""

    @classmethod
    def of(cls, clip: Path, frames: int, other: Path | None, every: int = 1) -> Part:
        """Raises SourceError; ValueError for too short a clip."""
        footage = Footage.of(clip, every)
        if other is None:
            start = footage.split(frames)
            return cls(footage, start, min(frames, footage.count - start), footage, start)
        fitted = Footage.of(other, every)
        if fitted.count < LEAST:
            raise ValueError(f"{other.name} has {fitted.count} frames; at least {LEAST} are needed")
        start = footage.tail(frames)
        return cls(footage, start, min(frames, footage.count - start), fitted, fitted.count)

    def describe(self, asked: int) -> str:
        """For people."""
        whose = "it" if self.fitted is self.footage else self.fitted.path.name
        less = f" ({asked} were asked for: the clip is shorter)" if self.count < asked else ""
        thinned = (
            f" (every frame counted here is one of {self.footage.every})" if self.footage.every > 1 else ""
        )
        return (
            f"frames {self.start} to {self.start + self.count - 1} of {self.footage.path.name}{thinned}{less}; "
            f"profiles are fitted to the first {self.fitted_end} frames of {whose}"
        )

    def calibrating(self, most: int, noise: Noise) -> Iterator[NDArray[np.uint8]]:
        """At most `most` frames before the session, evenly spread."""
        every = max(1, self.fitted_end // most)
        for number, frame in enumerate(self.fitted.pictures(0, self.fitted_end, noise)):
            if number % every == 0 and number // every < most:
                yield frame

    def runs(self, noise: Noise) -> Iterator[Iterator[NDArray[np.uint8]]]:
        """Frames before the session that follow each other, several times, evenly spread."""
        last = max(0, self.fitted_end - RUN)
        for start in sorted({round(number * last / (RUNS - 1)) for number in range(RUNS)}):
            yield self.fitted.pictures(start, min(start + RUN, self.fitted_end), noise)

    def session(self, noise: Noise) -> Iterator[NDArray[np.uint8]]:
        return self.footage.pictures(self.start, self.start + self.count, noise)


def measure_streams(options: RateOptions, network: Network) -> list[Path]:
    """Measure every clip with every noise; the files that were written. Raises SplitDNNError, ValueError, StreamError."""
    if network.model.task.name != "classify":
        raise ValueError(
            f"{network.model.name} is of the task {network.model.task.name}; streams are measured for classifiers"
        )
    points = options.split_points or stream_points(options.model, network.partition.points.values())
    plan, absent = settings(options.model, points, interval=options.interval, quick=options.quick)
    for why in absent.values():
        print(f"not measured: {why}", flush=True)
    parts = [Part.of(clip, options.clip_frames, options.calibrate_on, options.every) for clip in options.clip]
    for part in parts:
        print(part.describe(options.clip_frames), flush=True)
    kinds = [Noise(kind) for kind in options.noise]
    outlines = [Outline("engine", 2, _COMPILE_S)]
    outlines += [_outline(part, noise, plan, network) for part in parts for noise in kinds]
    written, sessions = [], {}
    with contextlib.closing(Progress(outlines)) as progress:
        progress.section()
        progress.step("compiling")
        engine = network.engine("openvino", "float32")
        study = Study(network, engine, points)
        described = "{name} {precision}, {threads} threads".format(**engine.describe())
        for part in parts:
            findings = Findings(described, [])
            for noise in kinds:
                progress.section()
                _measure(options, study, plan, part, noise, findings, progress)
                sessions[f"{part.footage.path.stem}, {noise.kind}"] = findings.tables[-1]
            progress.clear()
            written += publish(
                options.results,
                f"rate-{part.footage.path.stem}",
                findings,
                _measured_on(options, network, part),
            )
    if len(sessions) > 1:
        measured_on = "; ".join(_measured_on(options, network, part) for part in parts)
        written += publish(
            options.results, "rate-clips", Findings(described, [together(sessions)]), measured_on
        )
    return written


def _measure(
    options: RateOptions,
    study: Study,
    plan: Sequence[Setting],
    part: Part,
    noise: Noise,
    findings: Findings,
    progress: Progress,
) -> None:
    """One session by every setting: its tables and its figure are added to the findings."""
    progress.step(f"{noise.kind}: reading frames to calibrate with")
    calibrating = study.prepared(part.calibrating(options.fit_frames, noise))
    runs = [study.prepared(run) for run in part.runs(noise)]
    profiles = study.profiles(plan, calibrating, runs, progress.step)
    found = study.run(plan, profiles, part.session(noise), progress.step)
    progress.clear()
    for outcome in found:  # the tables come at the end
        _print(outcome, noise)
    whose = "the same clip, before the session" if part.fitted is part.footage else part.fitted.path.name
    session = About(
        f"{part.footage.path.stem}-{noise.kind}",
        f"{part.count} frames of {part.footage.path.name} {noise.describe()}",
        f"Profiles are fitted to {len(calibrating)} frames of {whose}, and what one frame tells of the next to {sum(map(len, runs))}, "
        "with noise of the same kind.",
        part.footage.rate,
    )
    findings.tables.extend(tables(session, found))
    findings.figures.append(figure(session, found))


def _print(outcome: Outcome, noise: Noise) -> None:
    name = f"{noise.kind}: {outcome.setting.line} {outcome.setting.name}"
    print(f"{name:<72}{outcome.mean_bytes:>9.0f} bytes, KL {outcome.divergence:.4f}", flush=True)


def _outline(part: Part, noise: Noise, plan: Sequence[Setting], network: Network) -> Outline:
    fits = {(setting.split_point, setting.step) for setting in plan if setting.step}
    places = {point for point, _ in fits}
    partition = network.partition
    seconds = _IMPORTANCE_S * len(places) + _FIT_S * len(fits)
    for setting in plan:
        point = partition.point(setting.split_point)
        share = point.tail_macs / max(1, point.head_macs + point.tail_macs)
        seconds += part.count * (_CODEC_S + share * _WHOLE_S)
    steps = 1 + len(places) + len(fits) + math.ceil(part.count / BATCH)
    return Outline(f"{part.footage.path.stem}, {noise.kind}", steps, seconds)


def _measured_on(options: RateOptions, network: Network, part: Part) -> str:
    return (
        f"{about(options.weights, str(part.footage.path))}; {options.model}, fingerprint {network.model.fingerprint.hex()}; "
        f"{part.describe(options.clip_frames)}; a keyframe every {options.interval} frames"
    )
