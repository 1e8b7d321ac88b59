"""Heads that give a distribution over the distance from each place to each side of its box: YOLOv8 before its decoding, GFL, NanoDet.

Li et al., Generalized Focal Loss, 2020: the distance is the mean of a softmax over `bins` whole strides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from shared.tasks.detection.reading.evidence import activation_of
from shared.tasks.detection.reading.geometry import bounded
from shared.tasks.detection.reading.levels import Flat, Levels, levels_of
from shared.tasks.detection.reading.pyramids import MAX_LEVELS, STRIDES, grid, places, pyramids

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from shared.engines.half import Tensors
    from shared.network.partition import Shape
    from shared.tasks.detection.reading.form import Setting
    from shared.tasks.options import Options
    from shared.tasks.seen import Seen
    from shared.tasks.spec import Option

_SIDES = 4
_BINS = 16
"""YOLOv8's; NanoDet and GFL have 8 and 17."""
_ORDERS = ("box:class", "class:box")


class Distances(Levels):
    """All in one output for each level, or boxes and classes apart, or all levels in rows of one output."""

    name = "distances"
    shapes = (
        "for each level (4 bins + K, h, w), or (4 bins, h, w) and (K, h, w); or (A, K + 4 bins): logits of the distances to the four "
        "sides, K class scores"
    )

    def __init__(self, options: Options, setting: Setting) -> None:
        super().__init__(options, setting)
        self._bins = options.whole("bins", _BINS, 2, 64)
        self._offset = options.number("offset", 0.5, 0, 1)
        self._boxes_first = options.choice("order", _ORDERS, _ORDERS[0]) == _ORDERS[0]
        self._rows_grid = places(setting.size, options.numbers("strides", STRIDES, MAX_LEVELS))

    @classmethod
    def recognise(cls, seen: Seen) -> Mapping[str, Option] | None:
        if len(seen.shapes) == 1 and len(seen.shapes[0]) == 2:
            return cls._recognise_rows(seen)
        try:
            levels = levels_of(seen.shapes, seen.size)
        except ValueError:
            return None
        channels = {level.channels for level in levels}
        if len(channels) == 2 and _SIDES * _BINS in channels:
            channels.remove(_SIDES * _BINS)
            classes = channels.pop()
            values = next(sample for sample in seen.samples if sample.shape[1] == classes)
        elif len(channels) == 1 and len(levels) > 1 and seen.classes:
            classes = levels[0].channels - _SIDES * _BINS
            values = seen.samples[levels[0].output][:, -seen.classes :]
        else:
            return None
        if classes < 1 or seen.classes not in (0, classes):
            return None
        return {"activation": activation_of(values, exclusive=False)}

    @classmethod
    def _recognise_rows(cls, seen: Seen) -> Mapping[str, Option] | None:
        """NanoDet's: it needs the number of classes."""
        (rows, columns), (sample,) = seen.shapes[0], seen.samples
        bins, rest = divmod(columns - seen.classes, _SIDES)
        found = pyramids(seen.size, rows)
        if not seen.classes or rest or not 4 <= bins <= 33 or not found or found[0].anchors != 1:
            return None
        return {
            "activation": activation_of(sample[:, :, : seen.classes], exclusive=False),
            "bins": bins,
            "order": "class:box",
            "strides": ":".join(map(str, found[0].strides)),
        }

    def check(self, shapes: Sequence[Shape]) -> int | None:
        wide = _SIDES * self._bins
        if len(shapes) == 1 and len(shapes[0]) == 2:
            rows, columns = shapes[0]
            if columns <= wide or rows != len(self._rows_grid[1]):
                raise ValueError(
                    f"{rows} rows of {columns}; {len(self._rows_grid[1])} of more than {wide} are expected"
                )
            return self.classes_of(columns - wide)
        levels = levels_of(shapes, self.setting.size)
        channels = {level.channels for level in levels}
        if len(channels) == 1 and min(channels) > wide:
            return self.classes_of(min(channels) - wide)
        boxes = [(level.rows, level.columns) for level in levels if level.channels == wide]
        others = [level for level in levels if level.channels != wide]
        if boxes and boxes == [(level.rows, level.columns) for level in others] and len(channels) == 2:
            return self.classes_of(others[0].channels)
        raise ValueError(f"levels of {sorted(channels)} channels; boxes have {wide} for {self._bins} bins")

    def flat(self, outputs: Tensors) -> Flat:
        wide = _SIDES * self._bins
        if outputs[0].ndim == 2:
            boxes, values = self._split(outputs[0].T)
            where, strides = self._rows_grid
            return Flat(values.T, boxes.T, None, where, np.repeat(strides[:, None], 2, axis=1))
        levels = levels_of([output.shape for output in outputs], self.setting.size)
        parts = [outputs[level.output].reshape(level.channels, -1) for level in levels]
        if len({level.channels for level in levels}) == 1:
            boxes, values = self._split(np.concatenate(parts, axis=1))
            single = levels
        else:
            boxes = np.concatenate([part for part in parts if len(part) == wide], axis=1)
            values = np.concatenate([part for part in parts if len(part) != wide], axis=1)
            single = [level for level in levels if level.channels == wide]
        return Flat(
            values.T,
            boxes.T,
            None,
            np.concatenate([grid(level.rows, level.columns) for level in single]),
            np.concatenate([np.tile(level.stride, (level.rows * level.columns, 1)) for level in single]),
        )

    def _split(self, channels: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The boxes' and the classes' of all channels (C, A)."""
        wide = _SIDES * self._bins
        return (
            (channels[:wide], channels[wide:]) if self._boxes_first else (channels[-wide:], channels[:-wide])
        )

    def decode(self, flat: Flat, rows: NDArray[np.intp]) -> NDArray[np.float64]:
        logits = flat.places[rows].reshape(-1, _SIDES, self._bins).astype(np.float64)
        logits -= logits.max(2, keepdims=True)
        np.exp(logits, out=logits)
        distances = (logits @ np.arange(self._bins)) / logits.sum(2)
        middle = flat.grid[rows] + self._offset
        corners = np.concatenate([middle - distances[:, :2], middle + distances[:, 2:]], axis=1)
        return bounded(corners * np.tile(flat.strides[rows], 2), self.setting.size)
