"""Networks without torch and OpenVINO: a tiny one of a few parameters, and a residual one (kits/numpy_network.py)."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path

import numpy as np
from kits import numpy_network

from edge.frames.preprocess import Preprocess
from edge.planning.plan import make_plan
from shared.engines.base import Engine, joined
from shared.network.model import Model
from shared.network.partition import INPUT, OUTPUT, Partition, SplitPoint
from shared.network.recipe import Recipe
from shared.tasks.classify import Classify
from shared.tasks.spec import TaskSpec

SIDE = 8
_HALF = (0.5, 0.5, 0.5)
_SHAPES = {INPUT: (3, SIDE, SIDE), "conv": (4, 3, 3), "relu": (4, 3, 3), "pool": (4, 1, 1), "flatten": (4,)}
_MACS = {INPUT: 0, "conv": 972, "relu": 972, "pool": 972, "flatten": 972}


@functools.cache
def tiny_model(classes=7, gain=1.0, fingerprint=b"tinytiny"):
    """A convolution, pooling and a matrix; another fingerprint has other parameters. `gain` makes its values large."""
    return Model(
        name="tiny",
        weights=f"gain:{gain:g}",
        recipe=Recipe(SIDE, SIDE, _HALF, _HALF, resize=SIDE),
        labels=tuple(f"class {index}" for index in range(classes)),
        fingerprint=fingerprint,
        task=TaskSpec("classify"),
        outputs=("output",),
    )


class TinyEngine(Engine):
    """Runs it layer by layer."""

    name, precision, device, threads = "numpy", "float32", "cpu", 1

    def __init__(self, model):
        super().__init__(None, None)
        gain = np.float64(model.weights.removeprefix("gain:"))
        rng = np.random.default_rng(int.from_bytes(model.fingerprint, "little"))
        with np.errstate(over="ignore"):
            self._kernel = (gain * rng.normal(0, 0.3, (4, 3, 3, 3))).astype(np.float32)
        self._matrix = rng.normal(0, 1, (4, len(model.labels))).astype(np.float32)
        self._layers = [
            self._conv,
            lambda array: np.maximum(array, 0),
            lambda array: array.mean((2, 3), keepdims=True),
            lambda array: array.reshape(len(array), -1),
            lambda array: array @ self._matrix,
        ]

    def _conv(self, array):
        windows = np.lib.stride_tricks.sliding_window_view(array, (3, 3), axis=(2, 3))[:, :, ::2, ::2]
        return np.einsum("bcyxhw,ochw->boyx", windows, self._kernel)

    def _compile(self, kind, point):
        place = [*_SHAPES, OUTPUT].index(point.name)
        return self._run(self._layers[:place] if kind == "head" else self._layers[place:])

    def segment(self, start, end):
        first, last = ([*_SHAPES, OUTPUT].index(point.name) for point in (start, end))
        return self._run(self._layers[first:last])

    @staticmethod
    def _run(layers):
        def run(tensors):
            (array,) = tensors
            with np.errstate(over="ignore", invalid="ignore"):
                for layer in layers:
                    array = layer(array).astype(np.float32)
            return (array,)

        return run

    @property
    def form(self):
        return AsItIs()


class AsItIs:
    """Tensors between segments are the arrays themselves."""

    def pack(self, tensors):
        return tensors

    unpack = pack

    def gather(self, packed, callers):
        return joined([*([packed] if packed else []), *callers])


@functools.cache
def residual_bundle():
    """One for all tests, in a folder that is gone when it was read: leave it as it is."""
    with tempfile.TemporaryDirectory() as folder:
        return numpy_network.write_bundle(Path(folder) / "bundle")


@functools.cache
def residual():
    return residual_bundle().model


@functools.cache
def partition_of(model):
    if model is residual():
        return residual_bundle().partition
    shapes = _SHAPES | {OUTPUT: (len(model.labels),)}
    macs = _MACS | {OUTPUT: 1000}
    return Partition(
        SplitPoint(name, (shape,), macs[name], 1000 - macs[name]) for name, shape in shapes.items()
    )


@functools.cache
def engine_of(model):
    return numpy_network.NumpyEngine(residual_bundle()) if model is residual() else TinyEngine(model)


@functools.cache
def plan_of(model, split_point=None, codec=None):
    partition = partition_of(model)
    point = partition.point(split_point) if split_point else partition.default()
    return make_plan(point, engine_of(model), codec)


def whole(model, frame, top=5):
    """The classes of a BGR frame by the network in one piece: the oracle."""
    tensor = model.recipe.normalise(Preprocess(model.recipe)(frame))[None]
    outputs = engine_of(model).head(partition_of(model).point(OUTPUT))((tensor,))
    return Classify(model.labels, top).answer((outputs[0][0],)).top
