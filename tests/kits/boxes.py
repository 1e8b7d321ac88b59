"""The boxes of a detector in one piece, and whether an edge's records hold the same ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import onnxruntime

from edge.frames.preprocess import Preprocess
from edge.sources.registry import open_source
from shared.tasks.detection.detect import DEFAULT_THRESHOLD
from shared.tasks.registry import make_task
from shared.tasks.spec import Wanted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from shared.network.bundle import Bundle

NEAR = 0.001
"""A box whose score is so near to the threshold may be there or not."""
CORNERS = 0.5
"""Pixels by which a corner may differ."""
SCORES = 0.01
"""What a score may differ by."""

Box = dict[str, Any]


class Unsplit:
    """An ONNX file in onnxruntime, in float32: nothing of the bundle's graph is run."""

    def __init__(self, network: Path, bundle: Bundle, threshold: float = DEFAULT_THRESHOLD) -> None:
        """`bundle` says how its pictures are prepared and its outputs read."""
        self.threshold = threshold
        self._recipe = bundle.model.recipe
        self._preprocess = Preprocess(self._recipe)
        self._task = make_task(bundle.model, Wanted(threshold=threshold - NEAR))
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(
            str(network), options, providers=["CPUExecutionProvider"]
        )
        (self._input,) = (each.name for each in self._session.get_inputs())

    def tensor(self, picture: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(H, W, 3) BGR -> (1, 3, h, w)."""
        return self._recipe.normalise(self._preprocess(picture))[None]

    def outputs(self, picture: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
        found: list[NDArray[np.float32]] = self._session.run(None, {self._input: self.tensor(picture)})
        return found

    def boxes(self, picture: NDArray[np.uint8]) -> list[Box]:
        """Those of a (H, W, 3) BGR picture, in its pixels, from just below the threshold on."""
        answer = self._task.answer(tuple(each[0] for each in self.outputs(picture)))
        found: list[Box] = answer.in_picture(self._recipe, picture.shape[:2]).fields()["boxes"]
        return found

    def boxes_of(self, source: str, count: int) -> list[list[Box]]:
        """Those of the first `count` frames of a source."""
        return [self.boxes(picture) for picture in pictures(source, count)]


def pictures(source: str, count: int) -> Iterator[NDArray[np.uint8]]:
    """The first frames of a source, as an edge reads them."""
    reader = open_source(source, open_timeout_s=10, read_timeout_s=10)
    reader.open()
    try:
        for _ in range(count):
            shot = reader.read()
            assert shot is not None, f"{source} has fewer than {count} frames"
            yield shot.picture
    finally:
        reader.close()


def differences(
    records: Sequence[Mapping[str, Any]], expected: Sequence[Sequence[Box]], threshold: float
) -> list[str]:
    """Where the boxes of these records are not those expected of their frames; empty if they are."""
    return [
        f"frame {record['frame']}, answered by {record['answered_by']}: {fault}"
        for record in records
        for fault in unlike(expected[record["frame"]], record["boxes"], threshold)
    ]


def unlike(expected: Sequence[Box], found: Sequence[Box], threshold: float) -> list[str]:
    """Boxes of one that the other lacks. Those near the threshold may be missing from either."""
    left = list(found)
    faults = []
    for box in expected:
        same = [each for each in left if _distance(box, each) <= CORNERS]
        if same:
            left.remove(min(same, key=lambda each: _distance(box, each)))
        elif box["score"] > threshold + NEAR:
            faults.append(f"lacks {_told(box)}")
    return faults + [f"has {_told(box)} as well" for box in left if box["score"] > threshold + NEAR]


def _distance(first: Box, second: Box) -> float:
    """The largest difference of their corners, in pixels; infinite for other classes or scores."""
    same_class = (first["class_id"], first["label"]) == (second["class_id"], second["label"])
    if not same_class or abs(first["score"] - second["score"]) > SCORES:
        return float("inf")
    return max(abs(one - other) for one, other in zip(first["box"], second["box"], strict=True))


def _told(box: Box) -> str:
    return f"{box['label']} {box['score']:.4f} {box['box']}"
