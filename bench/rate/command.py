"""`python -m bench rate`: bytes per frame against accuracy, from real bitstreams."""

from __future__ import annotations

import contextlib
import math
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.harness.network import Network, load_network
from bench.harness.options import IMAGES, ModelOptions, option, positive
from bench.harness.system import Setup
from bench.rate.answer_tables import findings as answer_findings
from bench.rate.answers import Pictures, Study
from bench.rate.cut import BATCH, Cut, answers
from bench.rate.photographs import Photographs, read_clip, read_photographs
from bench.rate.plan import Setting, settings, split_points
from bench.rate.tables import findings
from bench.report.progress import Outline, Progress
from bench.report.report import Findings, about, named, publish
from shared.errors import SplitDNNError
from shared.network.partition import INPUT, OUTPUT
from shared.network.stage_ends import stage_ends
from shared.process.threads import available_cores

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bench.rate.answers import Way
    from bench.rate.trial import Outcome

_READ_S, _FIT_S, _CODEC_S, _TAIL_S = 0.012, 7.0, 0.012, 0.06
"""Guesses: seconds to read a picture, to fit a profile, for one frame's codec, and for the whole network."""


@dataclass(frozen=True)
class RateOptions(ModelOptions):
    """Bytes per frame against what they do to the answers: every codec, at several split points.

    A classifier is measured on photographs of known classes (--images); any network on a clip or a folder of pictures (--source).
    About ten minutes, with --quick about one.
    """

    command = "rate"

    images: Path = option(IMAGES, "folder of photographs, each named by its class")
    clip: Path | None = option(None, "a video, measured as well and never calibrated on", type=Path)
    clip_frames: int = option(120, "of the clip, evenly from all of it", quick=12, type=positive)
    source: str | None = option(
        None,
        "a clip or a folder of pictures: agreement as the network's task has it, calibrated on the first half, measured on the second",
    )
    frames: int = option(100, "of each half of --source", quick=12, type=positive)
    task: str | None = option(None, "as --task of edge and cloud")
    recipe: str | None = option(None, "as --recipe of edge and cloud")
    split_points: tuple[str, ...] = option(
        (), "(default: the network's stages; with --source `all` means all)"
    )
    limit: int | None = option(None, "photographs at most, evenly from all", quick=36, type=positive)

    def wrong(self) -> str | None:
        absent = self.clip is not None and not self.clip.is_file()
        return f"--clip {self.clip}: no such file" if absent else None


def main(arguments: Sequence[str]) -> int:
    """Measure, print, write. Without photographs nothing is measured, which is an error only if a folder was named.

    numpy's own threads are one, so that a codec is measured on one core; engines get all of them.
    """
    options = RateOptions.read(arguments)
    if options.source:
        return options.report(_study, SplitDNNError, ValueError)
    if not options.images.is_dir():
        print(f"python -m bench rate: no folder {options.images}: nothing is measured", file=sys.stderr)
        return 0 if options.images == IMAGES else 2
    return options.report(_run, SplitDNNError, ValueError)


def _run(options: RateOptions) -> list[Path]:
    """The files that were written. Raises SplitDNNError or ValueError for what cannot be measured."""
    photographs = Photographs.of(options.images, options.limit)
    source = str(options.clip or options.images)
    network = _network(options, source)
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
    if options.clip:
        measured_on += f"; clip {named(str(options.clip))}"
    print(measured_on, flush=True)
    with contextlib.closing(Progress(_outlines(options, photographs, network, plan))) as progress:
        found = _measure(options, photographs, network, plan, progress)
    return publish(options.results, "rate", found, measured_on)


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
    options: RateOptions, photographs: Photographs, network: Network, plan: Mapping[str, Sequence[Setting]]
) -> list[Outline]:
    photos, clip = len(photographs.measured), options.clip_frames if options.clip else 0
    frames = photos + clip
    reading = _READ_S * (frames + len(photographs.calibrating))
    outlines = [Outline("unsplit", 3, 10 + reading + _TAIL_S * frames)]
    for name, each in plan.items():
        point = network.partition.point(name)
        fits = sum(setting.preset is not None for setting in each)
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
    found: dict[str, list[Outcome]] = {pictures.name: [] for pictures in every}
    fit_s: dict[str, float] = {}
    for point, each in plan.items():
        progress.section()
        cut = Cut(point, each, network, engine, calibrating, progress.step)
        fit_s[point] = max(cut.fit_s, default=0.0)
        for pictures, logits in zip(every, unsplit, strict=True):
            found[pictures.name] += cut.measure(pictures, logits, progress.step)
        progress.clear()
        for outcome in found[every[0].name][-len(each) :]:  # the tables come at the end
            name = f"{point} {outcome.setting.family} {outcome.setting.name}"
            print(f"{name:<52}{outcome.mean_bytes:>10.0f} bytes {outcome.agreement:>7.1f} %", flush=True)
    described = "{name} {precision}, {threads} threads".format(**engine.describe())
    return findings(described, found, photographs.describe(), fit_s)
