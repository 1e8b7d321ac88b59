"""FastestDet's form, against its formulas place by place, and on a real clip."""

from __future__ import annotations

import math

import numpy as np
import pytest
from kits.detecting import detector, form, random, seen

from shared.errors import ContentError
from shared.tasks.detection.forms.cells import Fastestdet
from shared.tasks.detection.recognition import recognise_detectors

ROWS, COLUMNS = 3, 4


def output(seed: int = 0) -> np.ndarray:
    """(5 + 3, 3, 4): objectness and classes as probabilities."""
    found = random(8, ROWS, COLUMNS, seed=seed)
    found[1:5] = 4 * found[1:5] - 2
    found[5:] /= found[5:].sum(0)
    return found


def test_boxes_are_those_of_the_papers_formulas() -> None:
    cells = output()
    found = form("fastestdet", size=(96, 128)).candidates((cells,), 0.5)
    wanted = []
    for y in range(ROWS):
        for x in range(COLUMNS):
            objectness, dx, dy, w, h, *classes = cells[:, y, x].astype(float)
            score = objectness**0.6 * max(classes) ** 0.4
            if score > 0.5:
                across, down = (128 / (1 + math.exp(-w)), 96 / (1 + math.exp(-h)))
                cx, cy = (x + math.tanh(dx)) / COLUMNS * 128, (y + math.tanh(dy)) / ROWS * 96
                box = (cx - across / 2, cy - down / 2, cx + across / 2, cy + down / 2)
                wanted.append((score, classes.index(max(classes)), *box))
    assert len(wanted) > 3
    rows = np.column_stack([found.scores, found.classes, found.corners])
    np.testing.assert_allclose(rows, sorted(wanted, reverse=True), rtol=1e-5)


def test_it_is_recognised_by_its_channels() -> None:
    cells = np.stack([output(), output(1)])
    assert Fastestdet.recognise(seen(cells)) == {"activation": "none"}
    (spec,) = recognise_detectors(seen(cells, classes=3))
    assert dict(spec.options) == {"form": "fastestdet"}
    others = [
        ("other classes", seen(cells, classes=4)),
        ("another aspect", seen(cells, size=(96, 96))),
        ("logits", seen(8 * cells - 4)),
        ("all are probabilities", seen(np.abs(np.tanh(cells)))),
        ("two outputs", seen(cells, cells)),
        ("no cells", seen(cells.reshape(2, 8, -1))),
    ]
    for what, each in others:
        assert Fastestdet.recognise(each) is None, what


def test_what_is_no_number_or_has_another_shape_is_an_error_of_the_frame() -> None:
    task = detector("fastestdet")
    for value in (np.nan, np.inf, -np.inf):
        cells = output()
        cells[7, 2, 3] = value
        with pytest.raises(ContentError, match="not finite"):
            task.answer((cells,))
    for wrong in (output()[:5], output()[0]):
        with pytest.raises(ContentError, match="not of the form fastestdet"):
            task.answer((wrong,))
    with pytest.raises(ContentError, match="not of the form fastestdet"):
        task.answer((output(), output()))
