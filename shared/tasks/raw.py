"""The task `raw`: the outputs are arrays whose meaning is the user's; they are summed up and, if small, handed on whole."""

from __future__ import annotations

import base64
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from shared.errors import ContentError
from shared.tasks.agreement import one_each
from shared.tasks.base import Task, foreign_label
from shared.tasks.kind import Kind
from shared.tasks.options import Options
from shared.tasks.spec import TaskSpec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from shared.engines.half import Tensors
    from shared.network.recipe import Recipe
    from shared.tasks.agreement import Agreement
    from shared.tasks.base import Answer
    from shared.tasks.seen import Seen
    from shared.tasks.spec import Option

MAX_RAW_BYTES = 256 << 10
"""All outputs of one frame together are handed on whole up to here, as float32; base64 makes a third more of it."""
_MAX_RANK = 8
_MAX_LENGTH = 1 << 31
_SMALLEST = 1e-12
_ROUNDED = 1e-6


@dataclass(frozen=True, slots=True)
class Output:
    """One output of one frame."""

    name: str
    shape: tuple[int, ...]
    minimum: float
    maximum: float
    mean: float
    data: bytes | None
    """The values, float32, little-endian, in C order; None if all outputs together are too many."""

    def fields(self) -> dict[str, Any]:
        """Ready for JSON."""
        found = {
            "name": self.name,
            "shape": list(self.shape),
            "min": self.minimum,
            "max": self.maximum,
            "mean": self.mean,
        }
        if self.data is not None:
            found["float32"] = base64.b64encode(self.data).decode()
        return found

    def array(self) -> NDArray[np.float32]:
        """The values. Raises ValueError if they were too many to be handed on."""
        if self.data is None:
            raise ValueError(f"the values of {self.name} were too many to be handed on")
        return np.frombuffer(self.data, "<f4").reshape(self.shape)


@dataclass(frozen=True, slots=True)
class Outputs:
    """The answer: every output, in the network's order."""

    outputs: tuple[Output, ...]

    def fields(self) -> dict[str, Any]:
        return {"outputs": [each.fields() for each in self.outputs]}

    def headline(self) -> str:
        return ", ".join(
            f"{each.name} {'x'.join(map(str, each.shape)) or 'scalar'} ({each.minimum:.3g} … {each.maximum:.3g})"
            for each in self.outputs
        )

    def findings(self) -> tuple[()]:
        """Nothing: what the values mean is not known."""
        return ()

    def shows(self) -> tuple[()]:
        """Nothing, as `findings`."""
        return ()

    def in_picture(self, recipe: Recipe, size: tuple[int, int]) -> Outputs:
        del recipe, size
        return self


class Raw(Task):
    """All outputs, named as the network names them."""

    name = "raw"
    divergence_unit = "rel. error"
    squares = True

    def __init__(self, names: Sequence[str] | None) -> None:
        """`names`: of the outputs, in order; None if only answers are read, which may then have any."""
        self._names = names

    def answer(self, outputs: Tensors) -> Outputs:
        if not all(np.isfinite(output).all() for output in outputs):
            raise ContentError("the network's answer is not finite")
        whole = sum(output.size for output in outputs) * 4 <= MAX_RAW_BYTES
        names = self._names if self._names is not None else [str(number) for number in range(len(outputs))]
        return Outputs(
            tuple(_summed_up(name, output, whole=whole) for name, output in zip(names, outputs, strict=True))
        )

    def nothing(self) -> Outputs:
        return Outputs(())

    def parse(self, fields: Mapping[str, Any]) -> Outputs:
        given = fields["outputs"]
        if not isinstance(given, list) or not given:
            raise TypeError("the outputs are a list of at least one")
        found = tuple(_parse_output(each) for each in given)
        if self._names is not None and [each.name for each in found] != list(self._names):
            raise ValueError(f"the outputs are {', '.join(self._names)}, in this order")
        if sum(len(each.data or b"") for each in found) > MAX_RAW_BYTES:
            raise ValueError(f"more than {MAX_RAW_BYTES} bytes of values")
        return Outputs(found)

    def agreement(self, expected: Tensors, found: Tensors) -> Agreement:
        """One less the divergence, at least 0: nothing says which differences count."""
        return one_each(np.maximum(0.0, 1.0 - self.divergence(expected, found)))

    def common(self, expected: Answer, found: Answer) -> Agreement:
        """As `agreement`; of values that were too many to be handed on, by the smallest, the mean and the largest one."""
        assert isinstance(expected, Outputs)
        assert isinstance(found, Outputs)
        if [each.shape for each in expected.outputs] != [each.shape for each in found.outputs]:
            return one_each(np.zeros(1))
        pairs = zip(expected.outputs, found.outputs, strict=True)
        errors = [float(_error(*(values[None] for values in _values(*pair)))[0]) for pair in pairs]
        return one_each(np.array([max(0.0, 1.0 - max(errors, default=0.0))]))

    def divergence(self, expected: Tensors, found: Tensors) -> NDArray[np.float64]:
        """The relative error: the root mean square of the difference over that of what is expected; the worst output's."""
        errors = [_error(first, second) for first, second in zip(expected, found, strict=True)]
        worst: NDArray[np.float64] = np.max(errors, axis=0)
        return worst


def _summed_up(name: str, output: NDArray[np.float32], *, whole: bool) -> Output:
    data = output.astype("<f4").tobytes() if whole else None
    if not output.size:
        return Output(name, output.shape, 0.0, 0.0, 0.0, data)
    low, high = float(output.min()), float(output.max())
    mean = min(max(float(output.mean(dtype=np.float64)), low), high)
    return Output(name, output.shape, low, high, mean, data)


def _values(*outputs: Output) -> list[NDArray[np.float32]]:
    if all(each.data is not None for each in outputs):
        return [each.array() for each in outputs]
    return [np.array([each.minimum, each.mean, each.maximum], np.float32) for each in outputs]


def _error(expected: NDArray[np.float32], found: NDArray[np.float32]) -> NDArray[np.float64]:
    first, second = (values.reshape(len(values), -1).astype(np.float64) for values in (expected, found))
    size = np.sqrt((first**2).sum(1))
    error: NDArray[np.float64] = np.sqrt(((first - second) ** 2).sum(1)) / np.maximum(size, _SMALLEST)
    return error


def _parse_output(fields: Mapping[str, Any]) -> Output:
    name, shape = fields["name"], fields["shape"]
    foreign_label(name)
    if not isinstance(shape, list) or len(shape) > _MAX_RANK:
        raise TypeError(f"a shape is a list of at most {_MAX_RANK} lengths")
    if not all(type(length) is int and 0 <= length < _MAX_LENGTH for length in shape):
        raise ValueError("a length is a whole number, 0 or more")
    low, mean, high = (_number(fields[key]) for key in ("min", "mean", "max"))
    if not low <= mean <= high:
        raise ValueError("the mean is between the smallest and the largest value")
    data = None
    if "float32" in fields:
        data = base64.b64decode(fields["float32"], validate=True)
        if len(data) != 4 * math.prod(shape) or not _sum_up_to(np.frombuffer(data, "<f4"), low, mean, high):
            raise ValueError(
                "the values do not fill the shape, are not finite, or have another mean or other extremes than those said"
            )
    return Output(name, tuple(shape), low, high, mean, data)


def _sum_up_to(values: NDArray[np.float32], low: float, mean: float, high: float) -> bool:
    """Whether finite values have these extremes and this mean, which machines may add up in another order."""
    if not np.isfinite(values).all():
        return False
    found = _summed_up("", values, whole=False)
    return (found.minimum, found.maximum) == (low, high) and abs(found.mean - mean) <= _ROUNDED * max(
        abs(low), abs(high)
    )


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"not a finite number: {value!r}")
    return float(value)


def _told(seen: Seen, given: Mapping[str, Option]) -> TaskSpec:
    """Any outputs. Raises ValueError for an option: there is none."""
    del seen
    Options(given).refuse_rest()
    return TaskSpec("raw", "none")


RAW = Kind(
    make=lambda model, _: Raw(model.outputs),
    reader=lambda: Raw(None),
    key="outputs",
    recognise=lambda _: [],
    told=_told,
    classes=lambda *_: None,
    assumed=lambda *_: None,
)
