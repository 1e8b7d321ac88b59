"""A detector without torch and OpenVINO, of which several tensors cross: kits/pyramid.py's network with three boxes for each frame."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from kits import pyramid
from kits.edge import FakeSource, Run
from kits.pyramid import PyramidEngine, PyramidUplink
from kits.tiny import SIDE

from edge.frames.preprocess import Preprocess
from shared.network.partition import INPUT, OUTPUT
from shared.tasks.registry import make_task
from shared.tasks.spec import TaskSpec, Wanted

LABELS = ("bottle", "person")
SCORES = (0.9, 0.6, 0.45)
"""Those of the two bottles and of the person, which is the second; any threshold below the last lets all through."""


def boxes(stem, mean, finest):
    """Outputs `boxes`, `scores` and `labels`: where the boxes are depends on every tensor that crosses."""
    features = [np.tanh(each.reshape(len(each), -1).mean(1)) for each in (stem, mean, finest)]
    x0, y0, more = (1 + 0.4 * np.abs(each)[:, None] * np.arange(1, 4) for each in features)
    corners = np.stack([x0, y0, x0 + 2 + more, y0 + 1 + more], 2)
    count = len(stem)
    return corners, np.tile(SCORES, (count, 1)), np.tile([0, 1, 0], (count, 1))


def model_of(fingerprint=b"detector", **recipe):
    """The letterboxing network, or one of another recipe."""
    changed = replace(pyramid.MODEL.recipe, **({"fit": "letterbox", "resize": 0} | recipe))
    options = (("form", "boxes"), ("outputs", "boxes:scores:labels"), ("threshold", 0.5))
    return replace(
        pyramid.MODEL,
        name="detector",
        fingerprint=fingerprint,
        recipe=changed,
        labels=LABELS,
        task=TaskSpec("detect", "none", options),
        outputs=("boxes", "scores", "labels"),
    )


MODEL = model_of()
ENGINE, PARTITION = PyramidEngine(boxes), pyramid.partition_of((3, 4), (3,), (3,))


def plan_of(point="pyramid", codec="float32"):
    return pyramid.plan_of(point, codec, ENGINE, PARTITION)


class DetectorUplink(PyramidUplink):
    """As `PyramidUplink`; keeps its replies."""

    def __init__(self, outcomes=(), model=MODEL):
        super().__init__(outcomes, model=model, engine=ENGINE, partition=PARTITION)
        self.replies = []

    async def ask(self, data, profile=None):
        self.replies.append(await super().ask(data, profile))
        return self.replies[-1]


def run_of(source, uplink=None, *, plan=None, preprocess=None, **settings):
    """A run of the detector."""
    given = source if hasattr(source, "read") else FakeSource(source)
    return Run(
        given,
        uplink or DetectorUplink(),
        model=MODEL,
        plan=plan or plan_of(),
        preprocess=preprocess,
        **settings,
    )


def unsplit(frame, model=MODEL, threshold=None, **options):
    """The answer to a BGR frame by the network in one piece, in pixels of the network's input: the oracle."""
    assert frame.shape[2] == 3 and min(frame.shape[:2]) >= SIDE // 2
    tensor = model.recipe.normalise(Preprocess(model.recipe, **options)(frame))[None]
    outputs = ENGINE.head(PARTITION.point(OUTPUT))((tensor,))
    return make_task(model, Wanted(threshold=threshold)).answer(tuple(each[0] for each in outputs))


assert PARTITION.point(INPUT).shapes == ((3, SIDE, SIDE),)
