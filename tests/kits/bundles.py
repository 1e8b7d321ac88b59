"""A small network as a bundle, and the same network in numpy: the oracle. Neither torch nor the code that makes bundles is used."""

from __future__ import annotations

import itertools
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors.numpy import save_file

from shared.engines.openvino.runtime import operations as ops
from shared.engines.openvino.runtime import ov
from shared.engines.probe import sampled
from shared.network.bundle import Bundle, read_bundle
from shared.network.manifest import write_manifest
from shared.network.partition import INPUT, OUTPUT
from shared.network.recipe import Recipe

if TYPE_CHECKING:
    from collections.abc import Callable

SIDE = 8
CLASSES = 5
MIDDLE = "pool"
"""A split point with work on both sides, for whose tail the probe has an input."""
POINTS = (INPUT, "conv", "relu", "pool", "tokens", "mix", OUTPUT)
STORED = ("pool", "mix")
"""The points whose tails the probe has inputs for."""
SHAPES = {
    INPUT: (3, 8, 8),
    "conv": (6, 8, 8),
    "relu": (6, 8, 8),
    "pool": (6, 4, 4),
    "tokens": (17, 6),
    "mix": (17, 6),
}
MACS = {INPUT: 0, "conv": 10368, "relu": 10368, "pool": 10368, "tokens": 10368, "mix": 10980, OUTPUT: 11010}
_HOME = tempfile.TemporaryDirectory(prefix="splitdnn-tests-")
"""Where the bundles lie that all tests of a process share; removed at its end."""


class Oracle:
    """The network in numpy, with its parameters."""

    def __init__(self, seed: int = 5, outputs: int = 1) -> None:
        random = np.random.default_rng(seed)

        def normal(*shape: int) -> np.ndarray:
            return random.normal(0, shape[-1] ** -0.5, shape).astype(np.float32)

        self.kernel, self.token, self.table = normal(6, 3, 3, 3), normal(1, 1, 6), normal(1, 17, 6)
        self.mix, self.last = normal(6, 6), normal(6, CLASSES)
        self.outputs = outputs

    def step(self, name: str, x: np.ndarray) -> tuple[np.ndarray, ...]:
        """What crosses at `name`, from what crosses at the point before it."""
        if name == "conv":
            padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
            windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(2, 3))
            return (np.einsum("bchwij,ocij->bohw", windows, self.kernel).astype(np.float32),)
        if name == "relu":
            return (np.maximum(x, 0),)
        if name == "pool":
            return (x.reshape(len(x), 6, 4, 2, 4, 2).mean((3, 5)),)
        if name == "tokens":
            tokens = x.reshape(len(x), 6, 16).transpose(0, 2, 1)
            return (np.concatenate([np.repeat(self.token, len(x), 0), tokens], 1) + self.table,)
        if name == "mix":
            return (x + np.tanh(x @ self.mix),)
        return (x.mean(1) @ self.last, np.maximum(x.mean(2), 0))[: self.outputs]

    def crossings(self, pictures: np.ndarray) -> dict[str, tuple[np.ndarray, ...]]:
        """What crosses at every point for pictures (B, 3, 8, 8)."""
        found = {INPUT: (pictures,)}
        for before, name in itertools.pairwise(POINTS):
            found[name] = self.step(name, found[before][0])
        return found

    def tail(self, name: str, crossing: np.ndarray) -> tuple[np.ndarray, ...]:
        """The outputs for what crosses at `name`."""
        result: tuple[np.ndarray, ...] = (crossing,)
        for later in POINTS[POINTS.index(name) + 1 :]:
            result = self.step(later, result[0])
        return result


@cache
def oracle(seed: int = 5, outputs: int = 1) -> Oracle:
    return Oracle(seed, outputs)


def graph_of(net: Oracle, *, batch: int | None = None) -> ov.Model:
    """The network for OpenVINO. With batch 1 its tokens have no batch dimension."""
    picture = ops.parameter([batch or -1, *SHAPES[INPUT]], np.float32)
    conv = ops.convolution(picture, ops.constant(net.kernel), [1, 1], [1, 1], [1, 1], [1, 1])
    relu = ops.relu(conv)
    pool = ops.avg_pool(relu, [2, 2], [0, 0], [0, 0], [2, 2], exclude_pad=False)
    if batch:
        tokens = ops.transpose(
            ops.reshape(pool, ops.constant([6, 16]), special_zero=False), ops.constant([1, 0])
        )
        tokens = ops.add(ops.concat([ops.constant(net.token[0]), tokens], 0), ops.constant(net.table[0]))
    else:
        rows = ops.gather(ops.shape_of(picture), ops.constant([0]), ops.constant(0))
        tokens = ops.transpose(
            ops.reshape(pool, ops.constant([0, 6, 16]), special_zero=True), ops.constant([0, 2, 1])
        )
        shape = ops.concat([rows, ops.constant(np.array([1, 6]))], 0)
        token = ops.broadcast(ops.constant(net.token), shape)
        tokens = ops.add(ops.concat([token, tokens], 1), ops.constant(net.table))
    mix = ops.add(
        tokens, ops.tanh(ops.matmul(tokens, ops.constant(net.mix), transpose_a=False, transpose_b=False))
    )
    axis = 0 if batch else 1
    mean = ops.reduce_mean(mix, ops.constant([axis]), keep_dims=False)
    last = ops.constant(net.last)
    if batch:
        mean = ops.unsqueeze(mean, ops.constant([0]))
    classes = ops.matmul(mean, last, transpose_a=False, transpose_b=False)
    widths = ops.relu(ops.reduce_mean(mix, ops.constant([axis + 1]), keep_dims=False))
    values = dict(zip(POINTS[1:-1], (conv, relu, pool, tokens, mix), strict=True))
    named = [(f"split point {name}", value) for name, value in values.items()]
    if net.outputs == 1:
        named.append(("split point output", classes))
    else:
        named += [("output 0", classes), ("output 1", widths)]
    results = []
    for name, value in named:
        result = ops.result(value)
        result.set_friendly_name(name)
        results.append(result)
    return ov.Model(results, [picture], "tiny")


def pictures(count: int = 2, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, SIDE, SIDE, 3), dtype=np.uint8)


def recipe() -> Recipe:
    half = (0.5, 0.5, 0.5)
    return Recipe(SIDE, SIDE, half, half)


def probe_of(net: Oracle) -> dict[str, np.ndarray]:
    """The tensors of probe.safetensors."""
    given = pictures()
    crossings = net.crossings(np.stack([recipe().normalise(each) for each in given]))
    tensors = {"pictures": given}
    for name, values in crossings.items():
        if name not in (INPUT, OUTPUT):
            tensors[f"sample/{name}"] = sampled(values[0], min(4096, values[0][0].size))
    for number, values in enumerate(crossings[OUTPUT]):
        tensors[f"outputs/{number}"] = values
    for name in STORED:
        scale = np.float32(np.abs(crossings[name][0]).max())
        halves = (crossings[name][0] / scale).astype(np.float16)
        tensors |= {f"given/{name}": halves, f"scale/{name}": np.array(scale)}
        for number, values in enumerate(net.tail(name, halves.astype(np.float32) * scale)):
            tensors[f"answers/{name}/{number}"] = values
    return {name: np.ascontiguousarray(values) for name, values in tensors.items()}


def make(
    folder: Path,
    *,
    seed: int = 5,
    outputs: int = 1,
    batch: int | None = None,
    source: dict[str, Any] | None = None,
    change: Callable[[dict[str, Any]], object] = lambda _fields: None,
    change_probe: Callable[[dict[str, np.ndarray]], object] = lambda _tensors: None,
) -> Bundle:
    """Write the bundle into `folder`, which exists, and read it. The changes are made in place before it is written."""
    net = oracle(seed, outputs)
    ov.save_model(graph_of(net, batch=batch), folder / "network.xml", compress_to_fp16=False)
    tensors = probe_of(net)
    change_probe(tensors)
    save_file(tensors, folder / "probe.safetensors")
    ends = [[CLASSES], [17]][:outputs]
    total = MACS[OUTPUT]
    fields: dict[str, Any] = {
        "name": "tiny",
        "weights": f"random:{seed}",
        "source": source or {"kind": "onnx", "model": "/networks/tiny.onnx"},
        "made_with": {"openvino": "2026"},
        "fingerprint": fingerprint(seed, outputs, batch),
        "task": {"name": "classify", "activation": "softmax"} if outputs == 1 else {"name": "raw"},
        "labels": [f"class {number}" for number in range(CLASSES)] if outputs == 1 else [],
        "recipe": recipe().fields(),
        "batch": batch or "any",
        "precision": "float32",
        "outputs": ["classes", "widths"][:outputs],
        "split_points": [
            {
                "name": name,
                "shapes": ends if name == OUTPUT else [list(SHAPES[name])],
                "head_macs": MACS[name],
                "tail_macs": total - MACS[name],
            }
            for name in POINTS
        ],
    }
    change(fields)
    write_manifest(folder, fields)
    return read_bundle(folder)


def fingerprint(seed: int = 5, outputs: int = 1, batch: int | None = None) -> str:
    """What the bundle of these is known by."""
    return f"{seed:02x}{outputs:02x}{batch or 0:02x}".ljust(16, "a")


def tiny(seed: int = 5, outputs: int = 1, batch: int | None = None) -> Bundle:
    """One for all tests of a process: leave it as it is."""
    return _tiny(seed, outputs, batch)


@cache
def _tiny(seed: int, outputs: int, batch: int | None) -> Bundle:
    folder = Path(_HOME.name) / f"{seed}-{outputs}-{batch}"
    folder.mkdir()
    return make(folder, seed=seed, outputs=outputs, batch=batch)
