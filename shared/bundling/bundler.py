"""From a source to a bundle's folder."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from shared import __version__
from shared.bundling.checking.answers import Answers
from shared.bundling.checking.checks import check_points, check_whole
from shared.bundling.checking.halves import Halves
from shared.bundling.checking.probe import probe_pictures
from shared.bundling.checking.saving import entry_of, save_model
from shared.bundling.graph.batch import free_batch, single_batch
from shared.bundling.graph.filling import fill_up
from shared.bundling.graph.fingerprint import fingerprint_of
from shared.bundling.graph.marking import marked
from shared.bundling.graph.points import find_places
from shared.bundling.graph.selection import before_selection, selected_outputs
from shared.bundling.seen import see
from shared.bundling.sources.find import find_source
from shared.bundling.task import labels_for, task_of
from shared.network.bundle import read_bundle
from shared.network.manifest import write_manifest
from shared.network.partition import INPUT, OUTPUT, Partition
from shared.network.stage_ends import stage_ends

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from shared.bundling.checking.checks import Check
    from shared.bundling.sources.source import Source
    from shared.engines.openvino.runtime import ov
    from shared.network.bundle import Bundle
    from shared.network.choice import NetworkChoice
    from shared.network.partition import SplitPoint
    from shared.tasks.spec import TaskSpec

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Report:
    """What the maker of a bundle wants to know beside its content."""

    notes: tuple[str, ...]
    """What was decided without being asked, a line each."""
    reference: str | None
    """The framework whose outputs the bundle's were compared with; None if there is none here."""
    parity: float
    """Relative error against it on the probe pictures."""
    cut_error: float
    """The largest relative error of head then tail against the whole."""
    checked: int
    """Split points at which that was measured."""


def make_bundle(
    choice: NetworkChoice, folder: Path, *, patience_s: float, check: Check = "stage_ends"
) -> Bundle:
    """Fill the empty `folder` with the bundle of what `choice` names. Raises ModelError, or OSError if it cannot be written."""
    return make_reported(choice, folder, patience_s=patience_s, check=check)[0]


def find_split_points(choice: NetworkChoice, *, patience_s: float) -> Partition:
    """Where the network that `choice` names can be cut. Raises ModelError."""
    return _cut(find_source(choice, patience_s=patience_s)).partition


def make_reported(
    choice: NetworkChoice, folder: Path, *, patience_s: float, check: Check = "stage_ends"
) -> tuple[Bundle, Report]:
    """`make_bundle`, with what it found out on the way."""
    started = time.perf_counter()
    source = find_source(choice, patience_s=patience_s)
    network = _cut(source)
    points = list(network.partition.points.values())
    fingerprint = source.fingerprint or fingerprint_of(network.model, len(source.outputs), source.recipe)
    halves = Halves(network.model, network.partition, network.batch)
    answers = Answers(
        halves, source.reference, network.pictures, network.tensors, network.filled_up, network.selected
    )
    parity, parity_notes = check_whole(answers, source.reference.name if source.reference else "itself")
    seen = see(source, network.model, network.partition.ends[1].shapes, answers.own_outputs)
    task, task_notes = task_of(seen, choice.task, source.task)
    labels, label_notes = labels_for(source, task, seen, choice.labels)
    chosen = _chosen(network.partition)
    checked = [point for point in points if point.name not in (INPUT, OUTPUT)] if check == "all" else chosen
    cut_error = check_points(halves, answers, checked)
    answers.save(folder / "probe.safetensors", points, chosen)
    save_model(network.model, folder / "network.xml")
    fields = {
        "name": source.name,
        "weights": source.weights,
        "source": source.origin,
        "made_with": {"splitdnn": __version__, **source.made_with},
        "fingerprint": fingerprint.hex(),
        "task": _task_entry(task),
        "labels": list(labels),
        "recipe": source.recipe.fields(),
        "batch": network.batch or "any",
        "precision": "float32",
        "outputs": list(source.outputs),
        "split_points": [entry_of(point) for point in points],
    }
    write_manifest(folder, fields)
    _log.info(
        "bundled %s, %d split points, in %.1f s", source.name, len(points), time.perf_counter() - started
    )
    notes = (*source.notes, *network.notes, *parity_notes, *task_notes, *label_notes)
    reference = source.reference.name if source.reference else None
    return read_bundle(folder, verify=False), Report(notes, reference, parity, cut_error, len(checked))


@dataclass(frozen=True, eq=False)
class _Cut:
    """A source that was cut."""

    model: ov.Model
    """With the results of docs/bundle.md."""
    partition: Partition
    batch: int | None
    pictures: NDArray[np.uint8]
    """The probe's, (2, h, w, 3)."""
    tensors: NDArray[np.float32]
    """The same normalised, (2, C, h, w)."""
    filled_up: Mapping[int, int]
    """The axes of `Filled`."""
    selected: tuple[int, ...]
    """The numbers of the outputs whose rows the graph has selected."""
    notes: tuple[str, ...]


def _cut(source: Source) -> _Cut:
    pictures = probe_pictures(source.recipe)
    tensors = np.stack([source.recipe.normalise(picture) for picture in pictures])
    filled = fill_up(source.model, source.outputs)
    notes = filled.notes
    model = free_batch(filled.model, tensors)
    batch = None
    if model is None:
        model, batch = single_batch(filled.model), 1
        notes += ("the network takes one picture at a time",)
    places = find_places(model, batch, known=source.known, outputs=source.outputs, is_given=source.is_given)
    places = before_selection(model, places)
    selected = selected_outputs(model, len(source.outputs))
    model = marked(model, places, len(source.outputs), source.name)
    return _Cut(
        model,
        Partition(place.point for place in places),
        batch,
        pictures,
        tensors,
        filled.axes,
        selected,
        notes,
    )


def _task_entry(task: TaskSpec) -> dict[str, object]:
    entry: dict[str, object] = {"name": task.name, "activation": task.activation}
    return entry | ({"options": dict(task.options)} if task.options else {})


def _chosen(partition: Partition) -> list[SplitPoint]:
    """The split points at which tails are checked and have answers in the probe: the ends of stages, and the default."""
    points = list(partition.points.values())
    names = {point.name for point in [*stage_ends(points), partition.default()]}
    return [point for point in points if point.name in names and point.name != INPUT]
