"""Where an int8 network can be cut without changing one bit of its answers, and in which form each tensor crosses there.

OpenVINO fuses operations, and rounds once where two were fused. So whether a cut is exact shows only when it is made: at each split
point the crossing is tried as symbols where the network quantises it, then as float32, and a point at which neither gives the whole
network's outputs bit for bit is left out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from shared.bundling.checking.halves import Halves
from shared.bundling.int8.marks import crossings, with_results
from shared.network.partition import INPUT, OUTPUT, Partition

if TYPE_CHECKING:
    from collections.abc import Callable

    from shared.bundling.int8.marks import Crossing
    from shared.engines.half import Tensors
    from shared.engines.openvino.runtime import ov
    from shared.network.partition import SplitPoint


@dataclass(frozen=True, eq=False)
class CutNetwork:
    """An int8 network with its split points."""

    model: ov.Model
    """With the results of docs/bundle.md."""
    partition: Partition
    left_out: tuple[str, ...]
    """Split points of the float network at which this one cannot be cut."""

    @property
    def in_symbols(self) -> list[str]:
        """The split points at which symbols cross."""
        return [name for name, point in self.partition.points.items() if point.is_quantised]


def cut_exactly(
    model: ov.Model,
    partition: Partition,
    batch: int | None,
    tensors: Tensors,
    name: str,
    show: Callable[[int, int], object] = lambda *_: None,
) -> CutNetwork:
    """Cut a quantised `model` at the split points of `partition`, those of the float network.

    `tensors` are a few inputs, one array (n, C, H, W), by which each cut is judged: heads run on one picture at a time, as edges do, and
    tails on all of them, as a cloud may. `show(done, total)`.
    """
    found, lost = crossings(model, partition)
    start, end = partition.ends
    whole: Tensors | None = None
    kept: dict[str, tuple[Crossing, bool, SplitPoint]] = {}
    left_out = list(lost)
    for number, crossing in enumerate(found):
        show(number, len(found))
        for as_symbols in (True, False) if any(crossing.grids) else (False,):
            point = replace(crossing.point, grids=crossing.grids if as_symbols else ())
            trial = with_results(model, [(crossing, as_symbols)], end, name)
            halves = Halves(trial, Partition([start, point, end]), batch, in_integers=True)
            if whole is None:
                whole = halves.one_by_one(end, tensors)
            outputs = halves.tail(point, halves.one_by_one(point, tensors))
            if all(np.array_equal(got, want) for got, want in zip(outputs, whole, strict=True)):
                kept[point.name] = crossing, as_symbols, point
                break
        else:
            left_out.append(crossing.point.name)
    points = [
        kept[each][2] if each in kept else point
        for each, point in partition.points.items()
        if each in kept or each in (INPUT, OUTPUT)
    ]
    chosen = [kept[point.name][:2] for point in points if point.name in kept]
    return CutNetwork(with_results(model, chosen, end, name), Partition(points), tuple(left_out))
