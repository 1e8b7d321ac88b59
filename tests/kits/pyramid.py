"""A network without torch and OpenVINO of which several tensors cross: two at `neck`, three at `pyramid`; and profiles of those."""

from __future__ import annotations

import functools
from dataclasses import replace

import numpy as np
from kits.edge import FakeSource, FakeUplink, Run, pictures
from kits.tiny import SIDE, AsItIs, tiny_model

from edge.calibration.fit import Preset, fit_crossing
from edge.frames.preprocess import Preprocess
from edge.planning.plan import make_plan
from shared.codecs import decode_frame
from shared.codecs.calibrated.codec import Calibrated
from shared.engines.base import Engine
from shared.network.partition import INPUT, OUTPUT, Partition, SplitPoint
from shared.tasks.classify import Classify

SHAPES = {
    INPUT: ((3, SIDE, SIDE),),
    "stem": ((4, 3, 3),),
    "neck": ((4, 3, 3), (4, 1, 1)),
    "pyramid": ((4, 3, 3), (4, 1, 1), (2, 3, 3)),
}
MODEL = tiny_model(fingerprint=b"pyramids")
PRESET = Preset(step=0.5, groups=2, context_rank=4, corrector_rank=2)


class PyramidEngine(Engine):
    """Each tensor of the pyramid counts in the answer."""

    name, precision, device, threads = "numpy", "float32", "cpu", 1

    def __init__(self, answer):
        super().__init__(None, None)
        rng = np.random.default_rng(7)
        self._kernel = rng.normal(0, 0.3, (4, 3, 3, 3)).astype(np.float32)
        self._steps = [self._stem, self._neck, self._pyramid, answer]

    def _stem(self, picture):
        windows = np.lib.stride_tricks.sliding_window_view(picture, (3, 3), axis=(2, 3))[:, :, ::2, ::2]
        return (np.maximum(np.einsum("bcyxhw,ochw->boyx", windows, self._kernel), 0),)

    @staticmethod
    def _neck(stem):
        return stem, stem.mean((2, 3), keepdims=True)

    @staticmethod
    def _pyramid(stem, mean):
        return stem, mean, 3 * stem[:, :2] - mean[:, 2:]

    def _compile(self, kind, point):
        place = [*SHAPES, OUTPUT].index(point.name)
        return self._chain(self._steps[:place] if kind == "head" else self._steps[place:])

    def segment(self, start, end):
        first, last = ([*SHAPES, OUTPUT].index(point.name) for point in (start, end))
        return self._chain(self._steps[first:last])

    @staticmethod
    def _chain(steps):
        def run(tensors):
            with np.errstate(over="ignore", invalid="ignore"):
                for step in steps:
                    tensors = tuple(each.astype(np.float32) for each in step(*tensors))
            return tensors

        return run

    @property
    def form(self):
        return AsItIs()


def logits(*pyramid):
    """The classes of `MODEL`."""
    features = np.concatenate([each.reshape(len(each), -1) for each in pyramid], 1)
    matrix = np.random.default_rng(8).normal(0, 1, (features.shape[1], len(MODEL.labels)))
    return ((features @ matrix).astype(np.float32),)


def partition_of(*outputs):
    """The split points of a network with outputs of these shapes."""
    shapes = SHAPES | {OUTPUT: outputs}
    return Partition(
        SplitPoint(name, each, 300 * number, 1200 - 300 * number)
        for number, (name, each) in enumerate(shapes.items())
    )


ENGINE, PARTITION = PyramidEngine(logits), partition_of((len(MODEL.labels),))


def plan_of(point, codec="float32", engine=ENGINE, partition=PARTITION):
    """A new plan; `calibrated` has the point's own profile."""
    if codec != "calibrated":
        return make_plan(partition.point(point), engine, codec)
    plan = make_plan(partition.point(point), engine, "float32")
    return replace(plan, codec=Calibrated(profile_of(point)).for_stream(), label=codec)


def crossing(point, frame, engine=ENGINE):
    """The tensors that cross, without the batch dimension, of a BGR frame."""
    tensor = MODEL.recipe.normalise(Preprocess(MODEL.recipe)(frame))[None]
    return tuple(each[0] for each in engine.head(PARTITION.point(point))((tensor,)))


@functools.cache
def profile_of(point, fingerprint=MODEL.fingerprint):
    """A profile of all tensors that cross there."""
    crossings = [crossing(point, frame) for frame in pictures(20, seed=1)]
    return fit_crossing(
        list(zip(*crossings, strict=True)),
        [PRESET] * len(crossings[0]),
        fingerprint=fingerprint,
        split_point=point,
    )


class PyramidUplink(FakeUplink):
    """Decodes each frame by itself, as a cloud with the profiles would."""

    def __init__(self, outcomes=(), *, model=MODEL, engine=ENGINE, partition=PARTITION):
        super().__init__(model, outcomes)
        self._halves = engine, partition

    def _decode(self, frame):
        if frame.tensors[0].codec_id != Calibrated.id:
            return decode_frame(frame)
        codec = Calibrated(profile_of(frame.split_point))
        return [
            codec.of_tensor(number).decode(each.params, each.payload, each.shape)
            for number, each in enumerate(frame.tensors)
        ]

    def _half(self, split_point):
        engine, partition = self._halves
        return engine.tail(partition.point(split_point))


def run_of(source, uplink=None, *, point="pyramid", codec="float32", plan=None, **settings):
    """A run of this network."""
    return Run(
        FakeSource(source),
        uplink or PyramidUplink(),
        model=MODEL,
        plan=plan or plan_of(point, codec),
        **settings,
    )


def whole(frame):
    """The classes of a BGR frame by the network in one piece: the oracle."""
    tensor = MODEL.recipe.normalise(Preprocess(MODEL.recipe)(frame))[None]
    (values,) = ENGINE.head(PARTITION.point(OUTPUT))((tensor,))
    return Classify(MODEL.labels, 5).answer((values[0],)).top
