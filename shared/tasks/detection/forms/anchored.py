"""Two outputs: differences of boxes from anchors that are known beforehand, and the classes' values: SSD, RetinaNet, EfficientDet."""

from __future__ import annotations

import base64
import binascii
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from shared.tasks.detection.forms.scores import Scores
from shared.tasks.detection.reading.evidence import kind_of, units_of
from shared.tasks.detection.reading.geometry import KINDS, UNITS, bounded, corners_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from shared.network.partition import Shape
    from shared.tasks.detection.reading.form import Setting
    from shared.tasks.options import Options
    from shared.tasks.seen import Seen
    from shared.tasks.spec import Option

_SSD, _PLAIN = "0.1:0.1:0.2:0.2", "1:1:1:1"
_SIDES = 4
_MOST_ANCHORS = 200_000
_THREE = 3


class Anchored(Scores):
    """Centre = anchor's centre + difference x variance x anchor's sides; sides = anchor's sides x exp(difference x variance).

    `priors`: the anchors, float32 (A, 4), little-endian, in base64; the maker of a bundle takes them from an output that does not
    depend on the picture.
    """

    name = "anchored"
    shapes = "(A, 4) differences dx, dy, dw, dh from anchors, (A, K) scores, and the anchors as an output that is constant"
    note = (
        "the variances of its boxes are taken for SSD's (0.1:0.1:0.2:0.2) if there is a background, else for 1; with others: "
        "detect:form=anchored,variances=…"
    )

    def __init__(self, options: Options, setting: Setting) -> None:
        super().__init__(options, setting)
        variances = options.numbers("variances", _SSD, _SIDES)
        if len(variances) != _SIDES:
            raise ValueError(f"variances={variances}; accepted: four numbers")
        self._variances = np.array(variances)
        self._y_first = options.choice("deltas", ("xywh", "yxhw"), "xywh") == "yxhw"
        kind = options.choice("prior_box", KINDS, "cxcywh")
        units = options.choice("prior_units", UNITS, "normalised")
        corners = corners_of(_decoded(options.text("priors", "")), kind, units, setting.size)
        self._sides = corners[:, 2:] - corners[:, :2]
        self._centres = (corners[:, 2:] + corners[:, :2]) / 2

    @classmethod
    def recognise(cls, seen: Seen) -> Mapping[str, Option] | None:
        unchanging = [index for index, sample in enumerate(seen.samples) if _is_unchanging(sample)]
        if len(unchanging) == 1 and len(seen.shapes) == _THREE and not seen.constants:
            return cls._recognise_without(seen, unchanging[0])
        order = cls.order(seen.names, seen.shapes)
        if order is None or len(seen.constants) != 1:
            return None
        (constant,) = seen.constants.values()
        count = seen.shapes[order.index("boxes")][0]
        priors = (
            constant.reshape(-1, count, _SIDES) if constant.size % (_SIDES * count) == 0 else constant[None]
        )
        if priors.shape[1:] != (count, _SIDES) or len(priors) > 2:
            return None
        found: dict[str, Option] = {
            **cls.classes_seen(seen, order),
            "outputs": ":".join(order),
            "priors": base64.b64encode(np.ascontiguousarray(priors[0], "<f4").tobytes()).decode(),
            "prior_box": kind_of(priors[0]),
            "prior_units": units_of(priors[0]),
        }
        found["variances"] = _SSD if "background" in found else _PLAIN
        if len(priors) == 2:  # as Caffe's prior boxes have them
            found["variances"] = ":".join(f"{value:.6g}" for value in priors[1][0])
        return found

    @classmethod
    def _recognise_without(cls, seen: Seen, place: int) -> Mapping[str, Option] | None:
        """The same for a network whose output at `place` are the anchors."""
        found = cls.recognise(
            replace(
                seen,
                names=seen.names[:place] + seen.names[place + 1 :],
                shapes=seen.shapes[:place] + seen.shapes[place + 1 :],
                samples=seen.samples[:place] + seen.samples[place + 1 :],
                constants={seen.names[place]: seen.samples[place][0]},
            )
        )
        if found is None:
            return None
        roles = str(found["outputs"]).split(":")
        return {**found, "outputs": ":".join([*roles[:place], "ignored", *roles[place:]])}

    def check(self, shapes: Sequence[Shape]) -> int | None:
        found = super().check(shapes)
        count = len(self._sides)
        if not any(shape[0] == count for shape in shapes):
            raise ValueError(f"there are {count} anchors")
        return found

    def corners(self, values: NDArray[np.float32], rows: NDArray[np.intp]) -> NDArray[np.float64]:
        order = [1, 0, 3, 2] if self._y_first else [0, 1, 2, 3]
        scaled = values[:, order].astype(np.float64) * self._variances
        sides = self._sides[rows]
        middle = self._centres[rows] + scaled[:, :2] * sides
        with np.errstate(over="ignore"):
            half = sides * np.exp(scaled[:, 2:]) / 2
        return bounded(np.concatenate([middle - half, middle + half], axis=1), self.setting.size)


def _is_unchanging(sample: NDArray[np.float32]) -> bool:
    """Whether an output is the same for several pictures."""
    return len(sample) > 1 and bool((sample == sample[:1]).all())


def _decoded(text: str) -> NDArray[np.float32]:
    """Raises ValueError."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        data = b""
    if not data or len(data) % (4 * _SIDES) or len(data) > 4 * _SIDES * _MOST_ANCHORS:
        raise ValueError(
            "it needs its anchors: a network that has them as an output that does not depend on the picture"
        )
    values = np.frombuffer(data, "<f4").reshape(-1, _SIDES)
    if not np.isfinite(values).all():
        raise ValueError("its anchors are not finite")
    return values
