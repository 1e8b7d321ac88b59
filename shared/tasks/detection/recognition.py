"""Which form a detector's outputs have, and the options with which it reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.tasks.detection.detect import read_options
from shared.tasks.detection.forms.registry import FORMS, describe_forms
from shared.tasks.detection.reading.dense import Dense
from shared.tasks.options import Options
from shared.tasks.spec import ACTIVATIONS, TaskSpec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shared.tasks.seen import Seen
    from shared.tasks.spec import Activation, Option

_SAID = {"confidence_threshold": "threshold", "iou_threshold": "overlap"}
"""Keys of OpenVINO's Model API, and the options that they are."""


def recognise_detectors(seen: Seen) -> list[TaskSpec]:
    """A task for each form that can read these outputs."""
    found = []
    for name, form in FORMS.items():
        options = form.recognise(seen)
        if options is not None:
            found.append(_spec({"form": name, **options, **_said(seen)}))
    return found


def detector(seen: Seen, given: Mapping[str, Option]) -> TaskSpec:
    """The task with the options that a user gave; the others are those of the outputs. Raises ValueError, one line."""
    name = given.get("form")
    if name is None:
        recognised = [dict(spec.options)["form"] for spec in recognise_detectors(seen)]
        if len(recognised) != 1:
            which = f"{' and '.join(map(str, recognised))} fit" if recognised else "none fits by itself"
            raise ValueError(f"{describe_outputs(seen)}: {which}; say which form it has: {describe_forms()}")
        (name,) = recognised
    form = FORMS[Options({"form": name}).choice("form", FORMS, "")]
    options = {"form": name, **(form.recognise(seen) or {}), **_said(seen), **given}
    spec = _spec(options)
    try:
        reader, _ = read_options(spec, seen.size, seen.classes)
    except ValueError as error:
        raise ValueError(f"form {name}: {error}") from None
    try:
        reader.check(seen.shapes)
    except ValueError as error:
        raise ValueError(
            f"{describe_outputs(seen)} do not fit the form {name} ({error}); known forms: {describe_forms()}"
        ) from None
    if isinstance(reader, Dense) and "activation" not in options:
        return TaskSpec(
            spec.name, reader.activation_of(tuple(each[0] for each in seen.samples)), spec.options
        )
    return spec


def classes_of(spec: TaskSpec, seen: Seen) -> int | None:
    """How many classes the outputs have, if their shapes tell."""
    return read_options(spec, seen.size, seen.classes)[0].check(seen.shapes)


def form_note(spec: TaskSpec, seen: Seen) -> str | None:
    """What the form takes for granted."""
    options = dict(spec.options)
    return FORMS[str(options["form"])].assumed(seen, options)


def describe_outputs(seen: Seen) -> str:
    """`the outputs boxes (100, 4), scores (100)`."""
    each = (
        f"{name} ({', '.join(map(str, shape))})" for name, shape in zip(seen.names, seen.shapes, strict=True)
    )
    return f"the output{'s' if len(seen.names) > 1 else ''} {', '.join(each)}"


def _spec(options: dict[str, Option]) -> TaskSpec:
    """Raises ValueError for an activation that there is not."""
    activation: Activation = "none"
    given = Options(options).choice("activation", ACTIVATIONS, activation)
    for word in ACTIVATIONS:
        if given == word:
            activation = word
    rest = {name: value for name, value in options.items() if name != "activation"}
    return TaskSpec("detect", activation, tuple(sorted(rest.items())))


def _said(seen: Seen) -> dict[str, Option]:
    """The thresholds that the file's own metadata names."""
    found: dict[str, Option] = {}
    for key, option in _SAID.items():
        try:
            value = float(seen.said[key])
        except (KeyError, ValueError):
            continue
        if 0 <= value <= 1:
            found[option] = value
    return found
