"""What a network's outputs mean, as far as they tell or the user says, and the names of its classes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from shared.errors import ModelError, SettingsError
from shared.tasks.detection.forms.registry import describe_forms
from shared.tasks.detection.recognition import describe_outputs
from shared.tasks.options import Options, parse_task
from shared.tasks.registry import KINDS, require_known
from shared.tasks.segmentation.segment import SHAPES
from shared.tasks.spec import ACTIVATIONS, TaskSpec

if TYPE_CHECKING:
    from shared.bundling.sources.source import Source
    from shared.tasks.seen import Seen
    from shared.tasks.spec import Option

_LONGEST = 80


def task_of(seen: Seen, given: str | None, own: TaskSpec | None = None) -> tuple[TaskSpec, tuple[str, ...]]:
    """The task of these outputs and notes: the one that a user has `given` (`--task`), else the source's own, else what is seen.

    Raises ModelError.
    """
    if given is not None:
        return _told(seen, *_parsed(given), own), ()
    if own is not None:
        return _told(seen, own.name, {}, own), ()
    found = [spec for kind in KINDS.values() for spec in kind.recognise(seen)]
    if len(found) == 1:
        note = KINDS[found[0].name].assumed(found[0], seen)
        return found[0], (note,) if note else ()
    which = f"these fit: {'; '.join(map(describe_task, found))}" if found else "no task fits by itself"
    note = (
        f"what {describe_outputs(seen)} mean{'' if len(seen.names) > 1 else 's'} is not seen ({which}), so the task is "
        f"raw; --task names another: classify, segment ({SHAPES}), or detect:form=NAME with one of {describe_forms()}"
    )
    return TaskSpec("raw", "none"), (note,)


def _parsed(given: str) -> tuple[str, dict[str, Option]]:
    try:
        return parse_task(given)
    except SettingsError as error:
        raise ModelError(str(error)) from None


def _told(seen: Seen, name: str, given: dict[str, Option], own: TaskSpec | None) -> TaskSpec:
    require_known(name)
    if name not in KINDS:  # another package's
        return TaskSpec(name, "none", tuple(sorted(given.items())))
    try:
        if own is not None and own.name == name and "form" not in given:
            return _changed(own, given, seen)
        return KINDS[name].told(seen, given)
    except ValueError as error:
        raise ModelError(f"task {name}: {error}") from None


def _changed(own: TaskSpec, given: dict[str, Option], seen: Seen) -> TaskSpec:
    """The source's own task with other options. Raises ValueError if it does not fit the outputs."""
    rest = dict(given)
    activation = Options({"activation": rest.pop("activation", own.activation)}).choice(
        "activation", ACTIVATIONS, own.activation
    )
    options = {**dict(own.options), **rest}
    found = replace(
        own,
        activation=next(word for word in ACTIVATIONS if word == activation),
        options=tuple(sorted(options.items())),
    )
    KINDS[own.name].classes(found, seen)
    return found


def describe_task(spec: TaskSpec) -> str:
    """`detect:form=yolov8,threshold=0.3`, as a setting names it; long values are shortened."""
    options = [f"{name}={_written(value)}" for name, value in spec.options]
    if spec.activation != "none":
        options.append(f"activation={spec.activation}")
    return f"{spec.name}{':' if options else ''}{','.join(options)}"


def _written(value: Option) -> str:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def labels_for(
    source: Source, spec: TaskSpec, seen: Seen, given: str | None
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """One name for each class, if the task says how many there are, and notes. Otherwise the names that there are.

    A name for the background goes, where the background is no class of the answer. Raises ModelError if the file of labels `given`
    by the user has another number of names.
    """
    kind = KINDS.get(spec.name)
    classes = kind.classes(spec, seen) if kind else None
    if classes is None or len(source.labels) == classes:
        return source.labels, ()
    background = dict(spec.options).get("background")
    if len(source.labels) == classes + 1 and background in (0, -1):
        return source.labels[1:] if background == 0 else source.labels[:-1], ()
    if given is not None:
        raise ModelError(
            f"labels {given}: {len(source.labels)} names; accepted: {classes}, one for each class"
        )
    found = f"{len(source.labels)} labels for {classes} classes" if source.labels else "no labels"
    return tuple(f"class {number}" for number in range(classes)), (
        f"{found}: the classes have numbers; --labels names them",
    )
