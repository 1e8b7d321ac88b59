"""The names of tensors in the Open Inference Protocol, which knows inputs and outputs, and no split points.

An input is named as the split point where it crosses. Where several tensors cross they are `NAME[0]`, `NAME[1]` …, and a request
brings all of them. An output is named as the network names it; `answer` is what the network's task makes of all of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.errors import BodyError, ShapeError, SplitPointError, suggest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from cloud.bodies.json.body import Shape
    from shared.network.model import Model

ANSWER = "answer"
"""The output that is what `POST /model` answers: JSON as text, for each row."""


def input_names(split_point: str, count: int) -> list[str]:
    """The names of the inputs that cross at a split point, in order."""
    return [split_point] if count == 1 else [f"{split_point}[{number}]" for number in range(count)]


def split_point_of(names: Sequence[str], shapes: Mapping[str, tuple[Shape, ...]]) -> tuple[str, list[int]]:
    """The split point where inputs of these names cross, and for each tensor there the place of its input in `names`.

    `shapes` are those of the tensors, without the batch dimension, by split point. Raises SplitPointError or ShapeError.
    """
    first = names[0]
    base = first.rpartition("[")[0] if first.endswith("]") else ""
    for point in (first, base):
        wanted = input_names(point, len(shapes[point])) if point in shapes else []
        if first in wanted:
            if sorted(wanted) != sorted(names):
                raise ShapeError(
                    f"at {point} the inputs {', '.join(wanted)} cross, not {', '.join(names)}",
                    accepted={"inputs": wanted},
                )
            return point, [names.index(each) for each in wanted]
    known = [each for point, several in shapes.items() for each in input_names(point, len(several))]
    raise SplitPointError(f"no input is named {first}; {suggest(first, known)}", accepted=known)


def output_names(model: Model) -> tuple[str, ...]:
    """The names of all outputs that may be asked for."""
    return model.outputs if ANSWER in model.outputs else (*model.outputs, ANSWER)


def require_outputs(names: Iterable[str], model: Model) -> None:
    """Raise BodyError unless the network has all these outputs."""
    known = output_names(model)
    for name in names:
        if name not in known:
            raise BodyError(
                f"no output is named {name}; {suggest(name, known)}", accepted={"outputs": list(known)}
            )
