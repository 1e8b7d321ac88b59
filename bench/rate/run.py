"""One run of the rate report: pictures, then cut after cut, then the tables."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from bench.harness.network import load_network
from bench.harness.system import Setup
from bench.rate.cut import BATCH, Cut, answers
from bench.rate.photographs import Photographs, read_clip, read_photographs
from bench.rate.plan import settings, split_points
from bench.rate.tables import NOTE, Measured, clip_rows, equal_agreement, figure, photograph_rows
from bench.report.about import about, named
from bench.report.progress import Outline, Progress
from bench.report.report import Findings, Table, write
from shared.network.partition import INPUT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from bench.harness.network import Network
    from bench.rate.options import RateOptions
    from bench.rate.photographs import Pictures
    from bench.rate.plan import Setting
    from shared.engines import Engine

_READ_S, _FIT_S, _CODEC_S, _TAIL_S = 0.012, 7.0, 0.012, 0.06
"""Guesses: seconds to read a picture, to fit a profile, for one frame's codec, and for the whole network."""


def run(options: RateOptions, cores: int) -> list[Path]:
    """The files that were written. Raises SplitDNNError or ValueError for what cannot be measured."""
    photographs = Photographs.of(options.images, options.limit)
    network = load_network(
        Setup(options.weights, str(options.clip or options.images), threads=cores), options.model
    )
    points = (INPUT, *(options.split_points or split_points(options.model, network.partition)))
    plan = {
        point: settings(options.model, point, quick=options.quick)
        for point in dict.fromkeys(points)
        if network.partition.point(point)  # raises for an unknown one
    }
    measured_on = (
        f"{about(options.weights, str(options.images))}; {options.model}, fingerprint {network.model.fingerprint.hex()}; "
        f"{len(photographs.measured)} photographs measured, {len(photographs.calibrating)} others calibrated on"
    )
    if options.clip:
        measured_on += f"; clip {named(str(options.clip))}"
    print(measured_on, flush=True)
    progress = Progress(_outlines(options, photographs, network, plan))
    try:
        findings = _measure(options, photographs, network, plan, progress)
    finally:
        progress.close()
    print(f"\n## rate (engine: {findings.engine})")
    for table in findings.tables:
        print(f"\n{table.markdown()}", flush=True)
    return write(options.results, "rate", findings, measured_on)


def _outlines(
    options: RateOptions, photographs: Photographs, network: Network, plan: Mapping[str, Sequence[Setting]]
) -> list[Outline]:
    photos, clip = len(photographs.measured), options.clip_frames if options.clip else 0
    frames = photos + clip
    reading = _READ_S * (frames + len(photographs.calibrating))
    outlines = [Outline("unsplit", 3, 10 + reading + _TAIL_S * frames)]
    for name, each in plan.items():
        point = network.partition.point(name)
        fits = sum(setting.recipe is not None for setting in each)
        steps = math.ceil(photos / BATCH) + math.ceil(clip / BATCH) + fits + (fits > 0)
        tail_s = _TAIL_S * point.tail_macs / (point.head_macs + point.tail_macs)
        seconds = (1 + fits) * _FIT_S + (_CODEC_S + tail_s) * len(each) * frames
        outlines.append(Outline(name, steps, seconds))
    return outlines


def _measure(
    options: RateOptions,
    photographs: Photographs,
    network: Network,
    plan: Mapping[str, Sequence[Setting]],
    progress: Progress,
) -> Findings:
    progress.section()
    progress.step("reading pictures")
    calibrating = read_photographs(photographs.calibrating, network)
    every = [read_photographs(photographs.measured, network)]
    if options.clip:
        every.append(read_clip(options.clip, options.clip_frames, network))
    progress.step("the engine")
    engine = network.engine("openvino", "float32")
    progress.step("the unsplit network's answers")
    unsplit = [answers(network, engine, pictures) for pictures in every]
    found: list[list[Measured]] = [[] for _ in every]
    fit_s: dict[str, list[float]] = {}
    for point, each in plan.items():
        progress.section()
        cut = Cut(point, each, network, engine, calibrating, progress.step)
        fit_s[point] = cut.fit_s
        for pictures, logits, measured in zip(every, unsplit, found, strict=True):
            outcomes = cut.measure(pictures, logits, progress.step)
            top = logits.argmax(1)
            measured += [
                Measured.of(setting, outcome, top, pictures)
                for setting, outcome in zip(each, outcomes, strict=True)
            ]
        _say(progress, point, found[0][-len(each) :])
    progress.clear()
    return _findings(engine, found, every, photographs, fit_s)


def _findings(
    engine: Engine,
    found: Sequence[Sequence[Measured]],
    every: Sequence[Pictures],
    photographs: Photographs,
    fit_s: Mapping[str, Sequence[float]],
) -> Findings:
    calibrating = photographs.describe()
    fits = ", ".join(f"{point} {max(each):.1f} s" for point, each in fit_s.items() if each)
    count = len(photographs.measured)
    note = " ".join(NOTE.split())
    note += f" Where none of {count} differs, up to {300 / count:.1f} % may (95 %, the rule of three)."
    note += f" Fitting one profile took at most: {fits}." if fits else ""
    tables = [
        Table("rate", "Bytes per frame against accuracy", note, photograph_rows(found[0], calibrating)),
        equal_agreement(found[0]),
    ]
    figures = [figure(found[0], "rate", "Bytes per frame against accuracy, on photographs")]
    for pictures, measured in zip(every[1:], found[1:], strict=True):
        title = f"The same on {len(pictures)} frames of {pictures.name}"
        clip_note = "Calibrated on photographs, not on this clip; frames of one clip are alike, so there are no intervals."
        tables.append(Table("rate_clip", title, clip_note, clip_rows(measured, calibrating)))
    return Findings("{name} {precision}, {threads} threads".format(**engine.describe()), tables, figures)


def _say(progress: Progress, point: str, measured: Sequence[Measured]) -> None:
    """A line for each setting as soon as its split point is done; the tables come at the end."""
    progress.clear()
    for each in measured:
        name = f"{point} {each.setting.family} {each.setting.name}"
        print(f"{name:<52}{each.frame_bytes:>10.0f} bytes {each.agreement:>7.1f} %", flush=True)
