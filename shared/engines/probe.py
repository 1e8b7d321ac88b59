"""A bundle's probe: pictures with the reference's outputs, which every engine's halves are compared with, and how they are compared."""

from __future__ import annotations

import math
import os
import weakref
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors import SafetensorError, safe_open

from shared.errors import EngineError
from shared.network.partition import INPUT, OUTPUT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from shared.engines.half import Half, Kind, Reference, Tensors
    from shared.network.bundle import Bundle
    from shared.network.partition import SplitPoint

MAY_DIFFER = 0.05
"""Share of rows that may be others altogether: of a thousand proposals, rounding exchanges a few."""
_NOTHING = -1.0
"""What fills rows that hold nothing."""
_MAX_HELD_OUT = 1024
"""Pictures on which an int8 network is compared with the float32 one. A bundle that was made here holds at most 64."""
_MAX_ROWS = 4096
"""Rows of one picture, at most: every two of them are compared."""


class Probe:
    """Compares halves with what the reference computed where the bundle was made. docs/bundle.md describes the file."""

    def __init__(self, bundle: Bundle, reference: Callable[[], Reference]) -> None:
        """`reference` gives the engine whose head computes the input of a tail that the bundle has none for.

        The file stays open: it is read again at each check, when another bundle may lie in its place. Raises EngineError.
        """
        self._path = bundle.probe
        try:
            self._descriptor = os.open(bundle.probe, os.O_RDONLY)
        except OSError as error:
            raise self._unreadable(error) from None
        weakref.finalize(self, os.close, self._descriptor)
        self._recipe = bundle.model.recipe
        self._outputs = len(bundle.model.outputs)
        self._shapes = bundle.partition.ends[1].shapes
        self._reference = reference

    def error(self, kind: Kind, point: SplitPoint, half: Half) -> float:
        """Relative error ‖y − y'‖ / ‖y'‖ of a half, the largest of all pictures' and tensors'; NaN for a NaN or another shape.

        Rows that the network selects itself are compared as `output_error` says. A head is compared at the positions that the bundle
        has a sample of, at `output` whole. Raises EngineError if the reference that computes the half's input fails its own check.
        """
        given = self.given(kind, point)
        want = self._expected(kind, point)
        got = half(given)
        shapes = (
            [(len(given[0]), *shape) for shape in point.shapes] if kind == "head" else [e.shape for e in want]
        )
        if [np.shape(each) for each in got] != shapes:
            return float("nan")
        if kind == "head" and point.name != OUTPUT:
            got = tuple(sampled(each, right.shape[1]) for each, right in zip(got, want, strict=True))
            return output_error(got, want, ())
        return output_error(got, want, self.selected())

    def selected(self) -> tuple[int, ...]:
        """The outputs whose rows the network selects itself."""
        with self._opened() as (file, names):
            return tuple(file.get_tensor("selected").tolist()) if "selected" in names else ()

    def given(self, kind: Kind, point: SplitPoint) -> Tensors:
        """A half's input for the probe pictures: one array (2, C, H, W) for a head, for a tail (2, *its shape) for each tensor."""
        if kind == "head" or point.name == INPUT:
            return self._pictures()
        with self._opened() as (file, names):
            keys = tensor_keys(point)
            if f"given/{keys[0]}" in names:
                return tuple(
                    file.get_tensor(f"given/{key}").astype(np.float32)
                    * np.float32(file.get_tensor(f"scale/{key}"))
                    for key in keys
                )
        return self._reference().once("head", point)(self._pictures())

    def held_out(self) -> tuple[NDArray[np.uint8], Tensors] | None:
        """An int8 bundle's pictures, (n, height, width, 3) uint8 RGB, and the float32 network's outputs for them; None in others.

        Raises EngineError if they are not for this network, or too many.
        """
        with self._opened() as (file, names):
            if "held_out/pictures" not in names:
                return None
            keys = ["held_out/pictures", *(f"held_out/outputs/{number}" for number in range(self._outputs))]
            slices = [file.get_slice(key) for key in keys]
            count = (slices[0].get_shape() or [0])[0]
            wanted = [("U8", self._recipe.picture_shape), *(("F32", shape) for shape in self._shapes)]
            for key, found, (dtype, shape) in zip(keys, slices, wanted, strict=True):
                size = tuple(found.get_shape())
                if found.get_dtype() != dtype or size != (count, *shape) or not 0 < count <= _MAX_HELD_OUT:
                    raise EngineError(
                        f"{self._path}: {key} is {found.get_dtype()} of shape {size}; accepted: {dtype} of shape "
                        f"{('n', *shape)}, n the same for all, 1 to {_MAX_HELD_OUT}"
                    )
            pictures, *outputs = (file.get_tensor(key) for key in keys)
            return pictures, tuple(outputs)

    def _pictures(self) -> Tensors:
        with self._opened() as (file, _):
            pictures: NDArray[np.uint8] = file.get_tensor("pictures")
        return (np.stack([self._recipe.normalise(picture) for picture in pictures]),)

    def _expected(self, kind: Kind, point: SplitPoint) -> Tensors:
        """What the half gives for `given`; for a head before `output`, at the positions of the sample."""
        with self._opened() as (file, names):
            if kind == "head" and point.name != OUTPUT:
                return tuple(file.get_tensor(f"sample/{key}") for key in tensor_keys(point))
            stored = kind == "tail" and point.name != INPUT and f"given/{tensor_keys(point)[0]}" in names
            prefix = f"answers/{point.name}" if stored else "outputs"
            return tuple(file.get_tensor(f"{prefix}/{number}") for number in range(self._outputs))

    @contextmanager
    def _opened(self) -> Iterator[tuple[Any, set[str]]]:
        """The file and the names in it."""
        try:
            with safe_open(f"/dev/fd/{self._descriptor}", framework="numpy") as file:
                yield file, set(file.keys())
        except (OSError, SafetensorError) as error:
            raise self._unreadable(error) from None

    def _unreadable(self, error: Exception) -> EngineError:
        return EngineError(f"{self._path}: not the probe of this bundle: {error}")


def tensor_keys(point: SplitPoint) -> list[str]:
    """What the probe calls the tensors that cross at a split point: by its name, with a number where there are several."""
    if len(point.shapes) == 1:
        return [point.name]
    return [f"{point.name}/{number}" for number in range(len(point.shapes))]


def sampled(tensors: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    """(B, …) -> (B, count): the elements at the flat positions floor(i * elements / count)."""
    elements = math.prod(tensors.shape[1:])
    return tensors.reshape(len(tensors), -1)[:, np.arange(count) * elements // max(count, 1)]


def output_error(got: Tensors, want: Tensors, selected: Sequence[int]) -> float:
    """The relative error ‖y − y'‖ / ‖y'‖, the largest of all pictures' and tensors'; NaN for a NaN or another shape.

    The outputs numbered in `selected` are compared as `selection_error` does if they differ by more than that.
    """
    plain = [_relative(*pair) for pair in zip(got, want, strict=True)]
    if selected:
        as_selected = selection_error(*(tuple(side[number] for number in selected) for side in (got, want)))
        together = float(np.max([plain[number] for number in selected]))
        plain = [each for number, each in enumerate(plain) if number not in selected]
        plain.append(min(together, as_selected))
    return float(np.max(plain))  # max() would lose a NaN


def selection_error(got: Tensors, want: Tensors) -> float:
    """The relative error of rows (B, R, …) that belong together across tensors, each against the nearest; NaN for a NaN or another shape.

    Of both sides' rows, the 5 % that are farthest from any of the other's do not count, nor do rows of -1, which hold nothing. More
    than 4096 rows are not compared: NaN.
    """
    if any(a.shape != b.shape or a.shape[:2] != got[0].shape[:2] for a, b in zip(got, want, strict=True)):
        return float("nan")
    if got[0].shape[1] > _MAX_ROWS:
        return float("nan")
    errors = [_error([each[row] for each in got], [each[row] for each in want]) for row in range(len(got[0]))]
    return float(np.max(errors, initial=0.0))


def _error(got: list[NDArray[np.float32]], want: list[NDArray[np.float32]]) -> float:
    """For one picture, tensors (R, …)."""
    sides = [[each.reshape(len(each), -1).astype(np.float64) for each in side] for side in (got, want)]
    lengths = [max(float(np.sqrt((rows**2).sum(1).mean())), 1e-30) for rows in sides[1]]
    mine, right = (
        np.concatenate([rows / length for rows, length in zip(side, lengths, strict=True)], axis=1)[
            _hold(side)
        ]
        for side in sides
    )
    if not np.isfinite(mine).all():
        return float("nan")
    count = max(len(mine), len(right))
    least = min(len(mine), len(right))
    others = int(MAY_DIFFER * count)
    if least == 0 or count - least > others:
        return 0.0 if count == 0 else 1.0
    squares = (mine**2).sum(1)[:, None] + (right**2).sum(1)[None] - 2 * mine @ right.T
    # The nearest is found fast; its distance is computed anew, as the difference of large squares is rounded.
    distances = (
        ((mine - right[squares.argmin(1)]) ** 2).sum(1),
        ((right - mine[squares.argmin(0)]) ** 2).sum(1),
    )
    return max(float(np.sqrt(np.sort(each)[: count - others].mean())) for each in distances)


def _hold(side: list[NDArray[np.float64]]) -> NDArray[np.bool_]:
    """(R,): the rows that hold something."""
    held: NDArray[np.bool_] = np.any([(rows != _NOTHING).any(1) for rows in side], axis=0)
    return held


def _relative(got: NDArray[np.float32], want: NDArray[np.float32]) -> float:
    if got.shape != want.shape:
        return float("nan")
    found, right = (each.reshape(len(each), -1).astype(np.float64) for each in (got, want))
    # What fills up an output of no fixed size says nothing, and must not make the rest look small.
    counted = np.where((found == _NOTHING) & (right == _NOTHING), 0.0, right)
    difference, length = (np.linalg.norm(rows, axis=1) for rows in (found - right, counted))
    return float(np.max(difference / np.maximum(length, 1e-30)))
