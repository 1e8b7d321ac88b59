"""What `splitdnn bundle` prints of a bundle."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.bundling.task import describe_task
from shared.engines.load import describe_split_points

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.bundling.bundler import Report
    from shared.network.bundle import Bundle
    from shared.network.manifest import Int8Entry
    from shared.network.model import Model
    from shared.network.partition import Partition

_FIRST_LABELS = 4
_ACTIVATIONS = {
    "softmax": "softmax of the output",
    "sigmoid": "sigmoid of the output",
    "none": "the output holds probabilities already",
}


def describe_bundle(bundle: Bundle, report: Report | None) -> str:
    """The text for people. Without a report, what the bundle itself says."""
    model = bundle.model
    lines = [
        f"{model.name}, weights {model.weights}, fingerprint {model.fingerprint.hex()}",
        f"recipe    {model.recipe.describe()}",
        f"task      {_task(model)}",
        f"labels    {_labels(model.labels)}",
        f"batch     {'one picture at a time' if bundle.batch == 1 else 'any number of pictures'}",
        f"made with {', '.join(f'{name} {version}' for name, version in bundle.manifest.made_with.items())}",
    ]
    if bundle.manifest.int8:
        lines.append(f"int8      {_int8(bundle.manifest.int8, bundle.partition)}")
    if report:
        parity = (
            f"{report.parity:.1e} relative error against {report.reference}"
            if report.reference
            else "not checked: the original framework is not installed here"
        )
        lines += [
            f"parity    {parity}",
            f"cuts      {report.cut_error:.1e} largest relative error of head then tail at {report.checked} split points",
        ]
        lines += [f"note      {note}" for note in report.notes]
    return "\n".join(
        [
            *lines,
            "",
            describe_split_points(bundle.partition),
            "",
            f"default   {bundle.partition.default().name}",
        ]
    )


def _task(model: Model) -> str:
    outputs = ", ".join(model.outputs)
    if model.task.name == "classify":
        return f"classify; {_ACTIVATIONS[model.task.activation]}"
    return f"{describe_task(model.task)}; outputs {outputs}"


def _int8(entry: Int8Entry, partition: Partition) -> str:
    symbols = sum(point.is_quantised for point in partition.points.values())
    return (
        f"keeps {entry.agreement:.1%} of float32's answers on {entry.pictures} held-out pictures ({entry.low:.1%} to {entry.high:.1%}; asked "
        f"for {entry.wanted:.1%}), {len(entry.in_float)} operations in float, its own bytes cross at {symbols} split points; made of "
        f"{entry.float_fingerprint}"
    )


def _labels(labels: Sequence[str]) -> str:
    if not labels:
        return "none"
    first = "; ".join(labels[:_FIRST_LABELS])
    return f"{len(labels)}: {first}{'; …' if len(labels) > _FIRST_LABELS else ''}"
