"""Outputs of detectors, and tasks and forms that read them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from shared.network.model import Model
from shared.network.recipe import Recipe
from shared.tasks.detection.forms.registry import make_form
from shared.tasks.detection.reading.form import Setting
from shared.tasks.options import Options
from shared.tasks.registry import make_task
from shared.tasks.seen import Seen
from shared.tasks.spec import TaskSpec, Wanted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from shared.tasks.base import Task
    from shared.tasks.detection.candidates import Candidates
    from shared.tasks.spec import Activation, Option

SIZE = (96, 128)
"""(height, width) of the input."""
ANIMALS = ("cat", "dog", "hen")


def random(*shape: int, seed: int = 0) -> NDArray[np.float32]:
    """Uniform, 0 … 1."""
    return np.random.default_rng(seed).random(shape).astype(np.float32)


def form(
    name: str,
    *,
    size: tuple[int, int] = SIZE,
    named: int = 3,
    activation: Activation = "none",
    **options: Option,
) -> Any:
    given = Options({"form": name, **options})
    made = make_form(given, Setting(size, named, activation))
    given.refuse_rest()
    return made


def model(
    spec: TaskSpec,
    labels: Sequence[str] = ANIMALS,
    size: tuple[int, int] = SIZE,
    outputs: tuple[str, ...] = ("out",),
) -> Model:
    recipe = Recipe(size[1], size[0], (0.0,) * 3, (1.0,) * 3, fit="stretch")
    return Model("tiny", "file", recipe, tuple(labels), bytes(8), spec, outputs)


def task(spec: TaskSpec, threshold: float | None = None, **given: Any) -> Task:
    return make_task(model(spec, **given), Wanted(threshold=threshold))


def detector(
    name: str, threshold: float | None = None, activation: Activation = "none", **options: Option
) -> Task:
    spec = TaskSpec("detect", activation, tuple(sorted({"form": name, **options}.items())))
    return task(spec, threshold)


def seen(
    *samples: NDArray[np.float32],
    names: Sequence[str] | None = None,
    size: tuple[int, int] = SIZE,
    activations: Sequence[str] = (),
    whole: Sequence[bool] = (),
    classes: int = 0,
    said: Mapping[str, str] | None = None,
    constants: Mapping[str, NDArray[np.float32]] | None = None,
) -> Seen:
    """`samples`: each output for n pictures, (n, …)."""
    count = len(samples)
    return Seen(
        names=tuple(names or (f"out {number}" for number in range(count))),
        shapes=tuple(sample.shape[1:] for sample in samples),
        samples=samples,
        size=size,
        activations=tuple(activations or ("none",) * count),
        whole=tuple(whole or (False,) * count),
        classes=classes,
        said=said or {},
        constants=constants or {},
    )


def table(candidates: Candidates) -> NDArray[np.float64]:
    """A row for each, (class, score, x0, y0, x1, y1), sorted."""
    columns = np.column_stack([candidates.classes, candidates.scores, candidates.corners])
    return columns[np.lexsort(columns.T[::-1])]


def rows(candidates: Candidates) -> list[tuple[float, ...]]:
    """(class, score, x0, y0, x1, y1) of each, rounded, sorted."""
    columns = np.column_stack([candidates.classes, candidates.scores, candidates.corners])
    return sorted(tuple(row) for row in np.round(columns.astype(np.float64), 3).tolist())
