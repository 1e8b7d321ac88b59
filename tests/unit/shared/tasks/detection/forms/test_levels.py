"""Raw heads with anchors, and heads of distances: an output for each level, decoded as the formulas say."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from kits.detecting import ANIMALS, SIZE, form, random, seen, table

from shared.tasks.detection.recognition import recognise_detectors

CLASSES = len(ANIMALS)
STRIDES = (8, 16, 32)
ANCHORS = [10, 13, 16, 30, 33, 23, 30, 61, 62, 45, 59, 119, 116, 90, 156, 198, 373, 326]
BINS = 16


def levels(channels: int, seed: int = 0) -> list[np.ndarray]:
    return [
        4 * random(channels, SIZE[0] // stride, SIZE[1] // stride, seed=seed + stride) - 2
        for stride in STRIDES
    ]


def sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-value))


def names_of(*samples: np.ndarray, **given: Any) -> dict[str, dict[str, Any]]:
    """The recognised forms."""
    found = recognise_detectors(seen(*samples, **given))
    return {
        str(dict(spec.options)["form"]): {"activation": spec.activation, **dict(spec.options)}
        for spec in found
    }


def test_raw_heads_are_decoded_with_their_anchors() -> None:
    outputs = levels(3 * (5 + CLASSES))
    for name, wide in (("yolov5-heads", True), ("yolov3-heads", False)):
        wanted = []
        for level, (output, stride) in enumerate(zip(outputs, STRIDES, strict=True)):
            split = output.reshape(3, 5 + CLASSES, *output.shape[1:]).astype(float)
            for anchor in range(3):
                sides = ANCHORS[6 * level + 2 * anchor :][:2]
                for y in range(output.shape[1]):
                    for x in range(output.shape[2]):
                        dx, dy, w, h, objectness, *classes = split[anchor, :, y, x]
                        score = sigmoid(objectness) * sigmoid(max(classes))
                        if score < 0.6:
                            continue
                        if wide:
                            cx, cy = 2 * sigmoid(dx) - 0.5 + x, 2 * sigmoid(dy) - 0.5 + y
                            size = [(2 * sigmoid(w)) ** 2 * sides[0], (2 * sigmoid(h)) ** 2 * sides[1]]
                        else:
                            cx, cy = sigmoid(dx) + x, sigmoid(dy) + y
                            size = [math.exp(w) * sides[0], math.exp(h) * sides[1]]
                        corners = [cx * stride - size[0] / 2, cy * stride - size[1] / 2]
                        corners += [cx * stride + size[0] / 2, cy * stride + size[1] / 2]
                        wanted.append((classes.index(max(classes)), score, *kept_near(corners)))
        assert len(wanted) > 20
        reader = form(name, activation="sigmoid")
        assert reader.check([output.shape for output in outputs]) == CLASSES
        found = table(reader.candidates(tuple(outputs), 0.6))
        np.testing.assert_allclose(found, sorted(wanted), atol=5e-3, err_msg=name)
        split = [
            output.reshape(3, -1, *output.shape[1:]).transpose(0, 2, 3, 1).copy() for output in outputs[::-1]
        ]
        np.testing.assert_allclose(
            table(reader.candidates(tuple(split), 0.6)), found
        )  # another order and arrangement


def test_raw_heads_are_recognised_where_the_names_or_the_arrangement_tell() -> None:
    outputs = [output[None] for output in levels(3 * (5 + CLASSES))]
    found = names_of(*outputs, classes=CLASSES)
    assert list(found) == ["yolov5-heads"]
    assert found["yolov5-heads"]["activation"] == "sigmoid"
    assert names_of(*outputs) == {}
    assert names_of(*outputs[:2], classes=CLASSES) == {}
    split = [each.reshape(1, 3, 8, *each.shape[2:]).transpose(0, 1, 3, 4, 2) for each in outputs]
    assert list(names_of(*split)) == ["yolov5-heads"]


def distances_of(boxes: np.ndarray, x: int, y: int, offset: float, stride: int) -> list[float]:
    """Corners of one place whose logits are boxes (4 * BINS,)."""
    exponentials = np.exp(boxes.astype(np.float64).reshape(4, BINS))
    left, top, right, bottom = (exponentials * np.arange(BINS)).sum(1) / exponentials.sum(1)
    middle = (x + offset, y + offset)
    corners = [middle[0] - left, middle[1] - top, middle[0] + right, middle[1] + bottom]
    return kept_near([float(each) * stride for each in corners])


def kept_near(corners: list[float]) -> list[float]:
    """As the forms keep them: within four times the picture."""
    limits = [4 * SIZE[1], 4 * SIZE[0]] * 2
    return [max(-far, min(far, each)) for each, far in zip(corners, limits, strict=True)]


def test_distances_are_means_over_bins_however_the_outputs_are_arranged() -> None:
    outputs = levels(4 * BINS + CLASSES)
    wanted = []
    for output, stride in zip(outputs, STRIDES, strict=True):
        for y in range(output.shape[1]):
            for x in range(output.shape[2]):
                boxes, classes = output[: 4 * BINS, y, x], output[4 * BINS :, y, x]
                if sigmoid(float(classes.max())) > 0.8:
                    score = sigmoid(float(classes.max()))
                    wanted.append((int(classes.argmax()), score, *distances_of(boxes, x, y, 0.5, stride)))
    assert len(wanted) > 20
    separate = [part for output in outputs for part in (output[4 * BINS :], output[: 4 * BINS])]
    flat = [output.reshape(len(output), -1).T for output in outputs]
    whole = np.concatenate(flat)
    swapped = np.concatenate([whole[:, 4 * BINS :], whole[:, : 4 * BINS]], axis=1)
    cases: list[tuple[str, list[np.ndarray], dict[str, Any]]] = [
        ("together", outputs, {}),
        ("apart", separate, {}),
        ("rows", [whole], {}),
        ("classes first", [swapped], {"order": "class:box"}),
    ]
    for what, given, options in cases:
        reader = form("distances", activation="sigmoid", **options)
        assert reader.check([each.shape for each in given]) == CLASSES, what
        found = table(reader.candidates(tuple(given), 0.8))
        np.testing.assert_allclose(found, sorted(wanted), atol=5e-3, err_msg=what)


def test_distances_are_recognised() -> None:
    outputs = [output[None] for output in levels(4 * BINS + CLASSES)]
    assert names_of(*outputs, classes=CLASSES) == {
        "distances": {"form": "distances", "activation": "sigmoid"}
    }
    assert names_of(*outputs) == {}, "a pyramid of features has as many channels"
    separate = [part for output in outputs for part in (output[:, 64:], output[:, :64])]
    assert list(names_of(*separate)) == ["distances"]
    nanodet = np.concatenate(
        [output[:, : CLASSES + 32].reshape(1, CLASSES + 32, -1).transpose(0, 2, 1) for output in outputs],
        axis=1,
    )
    found = names_of(nanodet, classes=CLASSES)["distances"]
    assert (found["bins"], found["order"], found["strides"]) == (8, "class:box", "8:16:32")


def test_outputs_that_are_no_pyramid_are_refused() -> None:
    cases: list[tuple[str, dict[str, Any], list[tuple[int, ...]], str]] = [
        ("yolov5-heads", {}, [(24, 12, 16), (24, 6)], "no level"),
        ("yolov5-heads", {}, [(24, 12, 16), (24, 6, 12), (24, 3, 4)], "not the aspect"),
        ("yolov5-heads", {}, [(24, 12, 16), (24, 6, 8)], "9 anchors for 2 levels"),
        ("yolov5-heads", {}, [(25, 12, 16), (25, 6, 8), (25, 3, 4)], "25 channels for 3 anchors"),
        ("distances", {}, [(60, 12, 16), (60, 6, 8)], r"levels of \[60\] channels"),
        ("distances", {}, [(10, 67)], "10 rows of 67"),
    ]
    for name, options, shapes, message in cases:
        with pytest.raises(ValueError, match=message):
            form(name, **options).check(shapes)
    for name, wrong, message in (
        ("yolov5-heads", {"anchors": "1:2:3"}, "anchors of 3"),
        ("yolov5-heads", {"anchors": "1:-2"}, "anchors of 2"),
        ("distances", {"strides": "0"}, "strides=0; accepted: numbers from 1"),
        ("distances", {"strides": "0.0001"}, "accepted: numbers from 1"),
        ("yolox", {"strides": "0.0001"}, "accepted: numbers from 1"),
        ("yolox", {"strides": ""}, "accepted: numbers from 1"),
        ("distances", {"bins": 1}, "bins=1"),
    ):
        with pytest.raises(ValueError, match=message):
            form(name, **wrong)  # type: ignore[arg-type]
