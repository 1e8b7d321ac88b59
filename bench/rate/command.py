"""`python -m bench rate`: bytes per frame against accuracy, from real bitstreams."""

from __future__ import annotations

import contextlib
import math
import sys
from typing import TYPE_CHECKING

from bench.harness.network import Network, load_network
from bench.harness.options import IMAGES
from bench.harness.system import Setup
from bench.rate.answer_tables import findings as answer_findings
from bench.rate.answers import Pictures, Study
from bench.rate.cut import BATCH, Cut, answers
from bench.rate.options import RateOptions
from bench.rate.photographs import Photographs, read_photographs
from bench.rate.plan import Setting, settings, split_points
from bench.rate.streams.command import measure_streams
from bench.rate.streams.session import StreamError
from bench.rate.tables import findings
from bench.report.progress import Outline, Progress
from bench.report.report import Findings, about, publish
from shared.errors import SplitDNNError
from shared.network.partition import INPUT, OUTPUT
from shared.network.stage_ends import stage_ends
from shared.process.threads import available_cores

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from bench.rate.answers import Way
    from bench.rate.trial import Outcome

_READ_S, _FIT_S, _CODEC_S, _TAIL_S = 0.012, 7.0, 0.012, 0.06
"""Guesses: seconds to read a picture, to fit a profile, for one frame's codec, and for the whole network."""


def main(arguments: Sequence[str]) -> int:
    """Measure, print, write. Without photographs nothing is measured, which is an error only if a folder was named.

    numpy's own threads are one, so that a codec is measured on one core; engines get all of them.
    """
    options = RateOptions.read(arguments)
    if options.clip:
        return options.report(_streams, SplitDNNError, ValueError, StreamError)
    if options.source:
        return options.report(_study, SplitDNNError, ValueError)
    if not options.images.is_dir():
        print(f"python -m bench rate: no folder {options.images}: nothing is measured", file=sys.stderr)
        return 0 if options.images == IMAGES else 2
    return options.report(_run, SplitDNNError, ValueError)


def _run(options: RateOptions) -> list[Path]:
    """The files that were written. Raises SplitDNNError or ValueError for what cannot be measured."""
    photographs = Photographs.of(options.images, options.limit)
    network = _network(options, str(options.images))
    if network.model.task.name != "classify":
        raise ValueError(
            f"{network.model.name} is of the task {network.model.task.name}; photographs of known classes are for classifiers: "
            "give --source a clip or a folder"
        )
    partition = network.partition
    points = options.split_points or split_points(options.model, partition.points.values())
    plan = {
        point: settings(options.model, point, quick=options.quick)
        for point in dict.fromkeys((INPUT, *points))
        if partition.point(point)  # raises for an unknown one
    }
    measured_on = (
        f"{about(options.weights, str(options.images))}; {options.model}, fingerprint {network.model.fingerprint.hex()}; "
        f"{len(photographs.measured)} photographs measured, {len(photographs.calibrating)} others calibrated on"
    )
    print(measured_on, flush=True)
    with contextlib.closing(Progress(_outlines(photographs, network, plan))) as progress:
        found = _measure(photographs, network, plan, progress)
    return publish(options.results, "rate", found, measured_on)


def _streams(options: RateOptions) -> list[Path]:
    return measure_streams(options, _network(options, str(options.clip[0])))


def _study(options: RateOptions) -> list[Path]:
    """The files that were written, for any network. Raises SplitDNNError or ValueError for what cannot be measured."""
    assert options.source is not None
    network = _network(options, options.source)
    model, partition = network.model, network.partition
    inner = [point.name for point in partition.points.values() if point.name not in (INPUT, OUTPUT)]
    usual = [point.name for point in stage_ends(partition.points.values())]
    names = inner if options.split_points == ("all",) else options.split_points or usual
    points = [partition.point(name) for name in dict.fromkeys((INPUT, *names))]
    pictures = Pictures.of(options.source, model.recipe, options.frames)
    measured_on = (
        f"{about(options.weights, options.source)}; {model.name}, task {model.task.name}, fingerprint {model.fingerprint.hex()}; "
        f"calibrated on {len(pictures.calibrating)} pictures of the first half of {pictures.name}, "
        f"measured on {len(pictures.measured)} of the second"
    )
    print(measured_on, flush=True)
    outlines = [Outline("unsplit", 2, 10)]
    outlines += [Outline(point.name, 6 if point.name == INPUT else 10, 90) for point in points]
    ways: list[Way] = []
    with contextlib.closing(Progress(outlines)) as progress:
        progress.section()
        progress.step("the engine")
        engine = network.engine(None, "float32")
        progress.step("the unsplit network's answers")
        study = Study(network, engine, pictures, quick=options.quick)
        for point in points:
            progress.section()
            found = study.at(point, progress.step)
            ways += found
            progress.clear()
            for way in found:
                kept = "" if way.found.kept is None else f", kept {100 * way.found.kept:.1f} %"
                print(
                    f"{point.name} {way.setting.family} {way.name}: {way.found.frame_bytes:.0f} bytes, "
                    f"{100 * way.found.agreement:.1f} %{kept}",
                    flush=True,
                )
    described = "{name} {precision}, {threads} threads".format(**engine.describe())
    return publish(
        options.results,
        f"rate-{model.name}",
        answer_findings(described, model.name, ways, study.task),
        measured_on,
    )


def _network(options: RateOptions, source: str) -> Network:
    setup = Setup(options.weights, source, threads=available_cores())
    return load_network(setup, options.model, task=options.task, recipe=options.recipe)


def _outlines(
    photographs: Photographs, network: Network, plan: Mapping[str, Sequence[Setting]]
) -> list[Outline]:
    photos = len(photographs.measured)
    reading = _READ_S * (photos + len(photographs.calibrating))
    outlines = [Outline("unsplit", 3, 10 + reading + _TAIL_S * photos)]
    for name, each in plan.items():
        point = network.partition.point(name)
        fits = sum(setting.preset is not None for setting in each)
        steps = math.ceil(photos / BATCH) + fits + (fits > 0)
        tail_s = _TAIL_S * point.tail_macs / (point.head_macs + point.tail_macs)
        seconds = (1 + fits) * _FIT_S + (_CODEC_S + tail_s) * len(each) * photos
        outlines.append(Outline(name, steps, seconds))
    return outlines


def _measure(
    photographs: Photographs,
    network: Network,
    plan: Mapping[str, Sequence[Setting]],
    progress: Progress,
) -> Findings:
    progress.section()
    progress.step("reading pictures")
    calibrating = read_photographs(photographs.calibrating, network)
    pictures = read_photographs(photographs.measured, network)
    progress.step("the engine")
    engine = network.engine("openvino", "float32")
    progress.step("the unsplit network's answers")
    unsplit = answers(network, engine, pictures)
    found: list[Outcome] = []
    fit_s: dict[str, float] = {}
    for point, each in plan.items():
        progress.section()
        cut = Cut(point, each, network, engine, calibrating, progress.step)
        fit_s[point] = max(cut.fit_s, default=0.0)
        measured = cut.measure(pictures, unsplit, progress.step)
        found += measured
        progress.clear()
        for outcome in measured:  # the tables come at the end
            name = f"{point} {outcome.setting.family} {outcome.setting.name}"
            print(f"{name:<52}{outcome.mean_bytes:>10.0f} bytes {outcome.agreement:>7.1f} %", flush=True)
    described = "{name} {precision}, {threads} threads".format(**engine.describe())
    return findings(described, found, photographs.describe(), fit_s)
