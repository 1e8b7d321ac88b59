"""A network of a residual network's shape whose halves are a few lines of numpy, and bundles of it: nothing to convert or compile."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from shared.engines.base import Engine, joined
from shared.engines.load import Network
from shared.network.bundle import read_bundle
from shared.network.manifest import FILES, write_manifest
from shared.network.partition import INPUT, OUTPUT
from shared.network.recipe import Recipe

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from shared.engines.half import Half, Kind, Segment, Tensors
    from shared.network.bundle import Bundle
    from shared.network.partition import SplitPoint

FEATURES, CLASSES = 512, 1000
FINGERPRINT = bytes.fromhex("0123456789abcdef")
RECIPE = Recipe(224, 224, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225), resize=256)
SHAPES: dict[str, tuple[int, ...]] = {
    INPUT: (3, 224, 224),
    "relu": (64, 112, 112),
    "maxpool": (64, 56, 56),
    "layer1.0": (64, 56, 56),
    "layer1": (64, 56, 56),
    "layer2.0": (128, 28, 28),
    "layer2": (128, 28, 28),
    "layer3.0": (256, 14, 14),
    "layer3": (256, 14, 14),
    "layer4.0.add": (512, 7, 7),
    "layer4": (512, 7, 7),
    "avgpool": (512, 1, 1),
    "flatten": (512,),
    OUTPUT: (CLASSES,),
}
"""What crosses. Every tensor has a multiple of 512 elements."""
_SHARES = (0, 6, 6, 19, 32, 43, 55, 66, 77, 88, 99, 99, 99, 100)
"""Work before each of them, in hundredths."""
PYRAMID = ((128, 14, 14), (512, 4, 4), (512,))
"""What crosses where several tensors do."""
ENDS = ["relu", "layer1", "layer2", "layer3", "avgpool"]
"""The split points worth choosing from."""


class NumpyEngine(Engine):
    """The mean of every 512th element gives 512 features, and a matrix of them gives the logits.

    A head spreads the features over what crosses, so that head and tail together give what the whole network gives.
    """

    name, precision, device, threads = "numpy", "float32", "cpu", 1

    def __init__(self, bundle: Bundle) -> None:
        super().__init__(None, None)
        seed = int.from_bytes(bundle.model.fingerprint, "little")
        classes = bundle.partition.points[OUTPUT].shapes[0][0]
        self._matrix = np.random.default_rng(seed).normal(size=(FEATURES, classes)).astype(np.float32)
        self._outputs = bundle.model.outputs
        self.compiled: list[tuple[str, str]] = []
        """The halves so far, by kind and split point."""

    def _compile(self, kind: Kind, point: SplitPoint) -> Half:
        self.compiled.append((kind, point.name))
        crosses = kind == "head" and point.name != OUTPUT
        return lambda tensors: self._cross(tensors, point) if crosses else self._answer(tensors)

    def segment(self, start: SplitPoint, end: SplitPoint) -> Segment:
        return lambda tensors: self._answer(tensors) if end.name == OUTPUT else self._cross(tensors, end)

    @property
    def form(self) -> Any:
        return _Form()

    def _cross(self, tensors: Tensors, point: SplitPoint) -> Tensors:
        features = _features(tensors)
        return tuple(np.tile(features, prod(shape) // FEATURES).reshape(-1, *shape) for shape in point.shapes)

    def _answer(self, tensors: Tensors) -> Tensors:
        features = _features(tensors)
        with np.errstate(over="ignore", invalid="ignore"):
            return (features @ self._matrix, features.copy())[: len(self._outputs)]


class _Form:
    def pack(self, tensors: Tensors) -> Tensors:
        return tensors

    unpack = copy = pack

    def gather(self, packed: Tensors | None, callers: Sequence[Tensors]) -> Tensors:
        parts = [*([packed] if packed else []), *callers]
        return parts[0] if len(parts) == 1 else joined(parts)


def _features(tensors: Tensors) -> np.ndarray:
    with np.errstate(over="ignore", invalid="ignore"):
        each = [array.reshape(len(array), -1, FEATURES).mean(1) for array in tensors]
        return each[0] if len(each) == 1 else np.mean(each, axis=0)


def write_bundle(folder: Path, fingerprint: bytes = FINGERPRINT, **changes: Any) -> Bundle:
    """Write a bundle of this network, its files aside: they hold a few bytes, or those that `changes` name.

    `outputs` may be `["output", "features"]`. Several tensors cross at `pyramid` if it is given: their shapes.
    """
    folder.mkdir(exist_ok=True)
    for name in FILES:
        (folder / name).write_bytes(changes.pop(name, f"{name} of {fingerprint.hex()}".encode()))
    outputs = changes.setdefault("outputs", ["output"])
    labels = changes.setdefault("labels", [f"class {number}" for number in range(CLASSES)])
    points = [
        {"name": name, "shapes": [list(shape)], "head_macs": 1000 * share, "tail_macs": 1000 * (100 - share)}
        for (name, shape), share in zip(SHAPES.items(), _SHARES, strict=True)
    ]
    if pyramid := changes.pop("pyramid", None):
        after = list(SHAPES).index("layer3") + 1
        points.insert(
            after, points[after - 1] | {"name": "pyramid", "shapes": [list(shape) for shape in pyramid]}
        )
    points[-1]["shapes"] = [[len(labels) or CLASSES], [FEATURES]][: len(outputs)]
    fields: dict[str, Any] = {
        "name": "residual", "weights": "random:0", "source": {"kind": "test"}, "made_with": {},
        "fingerprint": fingerprint.hex(), "task": {"name": "classify", "activation": "softmax"},
        "recipe": RECIPE.fields(), "batch": "any",
        "precision": "float32", "split_points": points,
    }  # fmt: skip
    write_manifest(folder, fields | changes)
    return read_bundle(folder)


def int8_entry(float_fingerprint: str) -> dict[str, Any]:
    """What bundle.json says of an int8 network that was made of the one with this fingerprint."""
    return {
        "float_fingerprint": float_fingerprint, "agreement": 0.98, "low": 0.95, "high": 0.99, "pictures": 100,
        "wanted": 0.97, "in_float": ["stem"],
    }  # fmt: skip


def network_of(bundle: Bundle) -> Network:
    """The network as `load_network` gives it, at its default split point."""
    return Network(bundle, bundle.partition.default(), NumpyEngine(bundle))
