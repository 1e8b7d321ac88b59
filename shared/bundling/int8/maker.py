"""From a float32 bundle and pictures to its int8 bundle, or to the reason why there is none.

Half of the pictures, at most 100, are calibrated on: more change nothing. A third of the others chooses what stays in float, and the
rest, looked at only at the end, says what is kept. In the pictures' order, as neighbours in a video are alike.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from shared.bundling.checking.answers import Answers
from shared.bundling.checking.halves import Halves
from shared.bundling.checking.probe import probe_pictures
from shared.bundling.checking.saving import entry_of, save_model
from shared.bundling.graph.fingerprint import fingerprint_of
from shared.bundling.int8.cutting import cut_exactly
from shared.bundling.int8.judge import Judge, Kept, speed_gain, whole_of
from shared.bundling.int8.layers import Layers, name_apart
from shared.bundling.int8.marks import bare
from shared.bundling.int8.quantiser import nncf_version, quantise
from shared.bundling.int8.search import STRETCHES, Setting, Trial, search
from shared.engines.openvino.network import read
from shared.engines.probe import Probe
from shared.errors import ModelError
from shared.network.bundle import read_bundle
from shared.network.manifest import write_manifest
from shared.network.partition import INPUT, OUTPUT
from shared.network.stage_ends import stage_ends
from shared.process.threads import available_cores

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from shared.engines.openvino.runtime import ov
    from shared.network.bundle import Bundle

_log = logging.getLogger(__name__)

MIN_PICTURES = 48
_FITTED = 100
"""Pictures that are calibrated on, at most."""
MIN_AGREEMENT = 0.975
MIN_GAIN = 1.25
"""An int8 network that is less than so many times as fast stays in float: it changes answers for next to nothing."""
_CHECKED_ON = 3
"""Pictures, besides the probe's, on which a cut has to be exact."""
_HELD_BYTES, _HELD_PICTURES = 16 << 20, 64
"""What of the held-out pictures goes into the bundle, for other processors to count their own agreement on."""


@dataclass(frozen=True)
class Int8Report:
    """What the maker of an int8 bundle wants to know."""

    bundle: Bundle | None
    """None: the network stays in float."""
    why_not: str
    """A sentence; empty if there is a bundle."""
    trials: tuple[Trial, ...]
    chosen: Trial
    kept: Kept | None
    """On the pictures that were held out."""
    gain: float
    """How many times as fast as float32, one picture at a time on all cores."""
    unit: str
    """What the trials' divergence is measured in."""
    in_symbols: tuple[str, ...] = ()
    """Split points at which the network's own bytes cross."""
    left_out: tuple[str, ...] = ()
    """Split points of the float network at which this one cannot be cut without another answer."""


def make_int8(
    network: Bundle,
    pictures: Sequence[NDArray[np.uint8]],
    folder: Path,
    *,
    wanted: float = MIN_AGREEMENT,
    portable: bool = False,
    show: Callable[..., object] = lambda *_: None,
) -> Int8Report:
    """Fill the empty `folder` with the int8 bundle of the float32 bundle `network`, unless int8 is not worth it.

    `pictures`: (height, width, 3) uint8 RGB as the network takes them. `wanted`: the least agreement, 0 … 1. `portable`:
    for processors without VNNI too, with weights of 7 bits. `show(step, done, total)`.
    Raises ModelError, or OSError if it cannot be written.
    """
    if len(pictures) < MIN_PICTURES:
        raise ModelError(f"{len(pictures)} pictures to calibrate int8 on; accepted: at least {MIN_PICTURES}")
    return _Maker(network, pictures, wanted, show, portable=portable).make(folder)


class _Maker:
    def __init__(
        self,
        network: Bundle,
        pictures: Sequence[NDArray[np.uint8]],
        wanted: float,
        show: Callable[..., object],
        *,
        portable: bool,
    ) -> None:
        self._network, self._wanted, self._show, self._portable = network, wanted, show, portable
        fit = min(len(pictures) // 2, _FITTED)
        tune = fit + (len(pictures) - fit) // 3
        fitted, tuned, self._held_out = pictures[:fit], pictures[fit:tune], pictures[tune:]
        self._normalise = network.model.recipe.normalise
        self._fitted = [self._normalise(picture) for picture in fitted]
        self._checked = np.stack(
            [self._normalise(each) for each in [*probe_pictures(network.model.recipe), *tuned[:_CHECKED_ON]]]
        )
        self._model = bare(read(network), network.partition)
        name_apart(self._model)
        self._layers = Layers(self._model)
        self._shapes = network.partition.ends[1].shapes
        self._float = whole_of(self._model, self._shapes, in_integers=False)
        show("answering in float32")
        self._judge = Judge(network.model, self._float, tuned)
        self._best: tuple[Trial, ov.Model] | None = None
        """So far, and its network: the others' would fill the memory, a few hundred megabytes each of a large one."""

    def make(self, folder: Path) -> Int8Report:
        chosen, trials = search(
            self._layers.first, self._layers.last, self._layers.stretches(STRETCHES), self._try, self._wanted
        )
        assert self._best is not None
        assert (
            self._best[0] is chosen
        )  # a trial that keeps enough is the last one, and those before it keep less
        quantised = self._best[1]
        whole = whole_of(quantised, self._shapes, in_integers=True)
        gain = speed_gain(self._float, whole, self._checked[:1], available_cores())
        report = Int8Report(None, "", tuple(trials), chosen, None, gain, self._judge.unit)
        if chosen.agreement < self._wanted:
            why = f"int8 keeps {chosen.agreement:.1%} of the answers at best, and {self._wanted:.1%} are asked for (--min-agreement)"
            return _without(report, why)
        if gain < MIN_GAIN:
            return _without(
                report, f"int8 is only {gain:.2f} times as fast here, which its other answers are not worth"
            )
        held_out = Judge(self._network.model, self._float, self._held_out)
        kept = held_out.judge(whole, lambda *count: self._show("judging", *count))
        if kept.high < self._wanted:
            why = (
                f"on pictures that were held out int8 keeps {kept.agreement:.1%} of the answers ({kept.low:.1%} to {kept.high:.1%}), and "
                f"{self._wanted:.1%} are asked for (--min-agreement)"
            )
            return _without(report, why, kept)
        return self._write(folder, quantised, kept, held_out, report)

    def _try(self, setting: Setting) -> Trial:
        total = len(self._fitted)
        quantised = quantise(
            self._model,
            self._fitted,
            setting.in_float,
            attends=self._layers.attends,
            portable=self._portable,
            show=lambda done: self._show(f"calibrating, {setting.what} in float", done, total),
        )
        whole = whole_of(quantised, self._shapes, in_integers=True)
        kept = self._judge.judge(whole, lambda *count: self._show("judging", *count))
        trial = Trial(setting, kept.agreement, kept.divergence)
        _log.info("int8 with %s in float: agreement %.1f %%, %s %.4g", setting.what, 100 * kept.agreement,
                  self._judge.unit, kept.divergence)  # fmt: skip
        if self._best is None or trial.quality > self._best[0].quality:
            self._best = trial, quantised
        return trial

    def _write(
        self, folder: Path, quantised: ov.Model, kept: Kept, held_out: Judge, report: Int8Report
    ) -> Int8Report:
        network = self._network
        cut = cut_exactly(
            quantised, network.partition, network.batch, (self._checked,), network.model.name,
            lambda *count: self._show("cutting", *count),
        )  # fmt: skip
        if set(cut.partition.points) == {INPUT, OUTPUT} != set(network.partition.points):
            return _without(report, "it can be cut nowhere without another answer", kept)
        points = list(cut.partition.points.values())
        names = {point.name for point in [*stage_ends(points), cut.partition.default()]} - {INPUT}
        halves = Halves(cut.model, cut.partition, network.batch, in_integers=True)
        self._show("writing")
        drawn = probe_pictures(network.model.recipe)
        tensors = np.stack([self._normalise(each) for each in drawn])
        answers = Answers(halves, None, drawn, tensors, {}, _selected(network))
        answers.save(
            folder / "probe.safetensors",
            points,
            [each for each in points if each.name in names],
            held_out.held(_HELD_BYTES, _HELD_PICTURES),
        )
        save_model(cut.model, folder / "network.xml")
        fingerprint = fingerprint_of(cut.model, len(network.model.outputs), network.model.recipe)
        write_manifest(folder, self._fields(points, fingerprint, kept, report))
        made = read_bundle(folder, verify=False)
        return Int8Report(
            made, "", report.trials, report.chosen, kept, report.gain, report.unit, tuple(cut.in_symbols), cut.left_out
        )  # fmt: skip

    def _fields(
        self, points: Sequence[Any], fingerprint: bytes, kept: Kept, report: Int8Report
    ) -> dict[str, Any]:
        manifest = self._network.manifest
        fields = manifest.model_dump(by_alias=True, exclude={"schema_version", "files", "digest", "int8"})
        fields["task"] = {key: value for key, value in fields["task"].items() if key != "options" or value}
        return fields | {
            "made_with": {**manifest.made_with, "nncf": nncf_version()},
            "fingerprint": fingerprint.hex(),
            "precision": "int8",
            "int8": {
                "float_fingerprint": manifest.fingerprint,
                "agreement": kept.agreement,
                "low": kept.low,
                "high": kept.high,
                "pictures": kept.pictures,
                "wanted": self._wanted,
                "in_float": list(report.chosen.setting.in_float),
                "portable": self._portable,
            },
            "split_points": [entry_of(point) for point in points],
        }


def _without(report: Int8Report, why: str, kept: Kept | None = None) -> Int8Report:
    return Int8Report(None, why, report.trials, report.chosen, kept, report.gain, report.unit)


def _selected(network: Bundle) -> tuple[int, ...]:
    """The outputs whose rows the network selects itself: int8 may exchange some."""

    def none() -> NoReturn:
        raise NotImplementedError

    return Probe(network, none).selected()
