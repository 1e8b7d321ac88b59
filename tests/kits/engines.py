"""Fixtures of the engine tests: a small network, its conversion, engines that run it, and an engine that can be made to fail."""

from __future__ import annotations

import logging
import threading
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from kits.edge import partition_of, tiny_model

from shared.engines import Engine, TorchEngine
from shared.engines.base import TOLERANCES
from shared.engines.openvino import network as openvino_network
from shared.engines.openvino.engine import OpenVinoEngine
from shared.engines.openvino.runtime import precisions
from shared.engines.probe import Probe

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from shared.network.model import Model
    from shared.network.partition import SplitPoint

    Distort = Callable[[np.ndarray], np.ndarray]

NATIVE = precisions()
"""The precisions that OpenVINO computes natively on this CPU."""
ENGINES = ["torch/float32", "torch/bfloat16", *(f"openvino/{precision}" for precision in NATIVE)]
MIDDLE = "pool"
"""A split point of the mixed network with work on both sides."""


class Mixed(torch.nn.Module):
    """Small, with everything that converters trip over: a use of the batch size, a table, a skip, views, two paths."""

    def __init__(self) -> None:
        super().__init__()
        self.first = torch.nn.Conv2d(3, 6, 3, padding=1)
        self.norm = torch.nn.BatchNorm2d(6)
        self.token = torch.nn.Parameter(torch.randn(1, 1, 6))
        self.table = torch.nn.Parameter(torch.randn(1, 17, 6))
        self.relu = torch.nn.ReLU(inplace=True)
        self.pool = torch.nn.AvgPool2d(2)
        self.mix = torch.nn.Linear(6, 6)
        self.last = torch.nn.Linear(6, 5)

    def forward(self, tensor: torch.Tensor) -> torch.Tensor:
        tensor = self.relu(self.norm(self.first(tensor)))
        tensor = self.pool(tensor)
        n, c, h, w = tensor.shape
        tensor = tensor.reshape(n, c, h * w).permute(0, 2, 1)
        tensor = torch.cat([self.token.expand(n, -1, -1), tensor], dim=1) + self.table
        tensor = tensor + torch.nn.functional.gelu(self.mix(tensor))
        return self.last(tensor[:, 0] + tensor.mean(1))


class Unconvertible(torch.nn.Module):
    """Computes what neither OpenVINO nor torch in bfloat16 can."""

    def forward(self, tensor: torch.Tensor) -> torch.Tensor:
        return torch.linalg.svdvals(tensor.mean(1))


@cache
def mixed_model() -> Model:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        network = Mixed()
        network(torch.randn(8, 3, 8, 8))  # gives the normalisation statistics
    tiny = tiny_model()
    return type(tiny)(
        name="mixed",
        weights="random:5",
        network=network.eval().requires_grad_(requires_grad=False),
        preprocessing=tiny.preprocessing,
        labels=tuple("abcde"),
        fingerprint=b"mixedmix",
    )


def middle() -> SplitPoint:
    return partition_of(mixed_model()).point(MIDDLE)


@cache
def converted() -> Any:
    """The mixed network in OpenVINO's form."""
    return openvino_network.convert(partition_of(mixed_model()))


@cache
def probe_of(model: Model) -> Probe:
    partition = partition_of(model)
    return Probe(partition.points, model.preprocessing, TorchEngine(partition))


def new_engine(name: str, **options: Any) -> Engine:
    """An engine of the mixed network that checks its halves and has no reference."""
    runtime, _, precision = name.partition("/")
    partition, probe = partition_of(mixed_model()), probe_of(mixed_model())
    if runtime == "torch":
        return TorchEngine(partition, precision=precision, probe=probe, **options)
    return OpenVinoEngine(
        converted(), partition.ends, precision=precision, probe=probe, **{"threads": 2} | options
    )


@cache
def engine_of(name: str) -> Engine:
    """The same, one for all tests: leave it as it is."""
    return new_engine(name)


def given_to(kind: str, point: SplitPoint, rows: int, seed: int = 0) -> np.ndarray:
    """An input of a half of the mixed network; every row is different."""
    shape = partition_of(mixed_model()).input_shape if kind == "head" else point.shape
    return np.random.default_rng(seed).normal(0, 1, (rows, *shape)).astype(np.float32)


def by_torch(kind: str, point: SplitPoint, tensors: np.ndarray) -> np.ndarray:
    """What the mixed network itself computes, one row at a time."""
    half = getattr(partition_of(mixed_model()), kind)(point)
    with torch.inference_mode():
        return np.concatenate([half(torch.tensor(row[None], dtype=torch.float32)).numpy() for row in tensors])


def error(got: np.ndarray, wanted: np.ndarray) -> float:
    """The largest relative error of a row; NaN if any value is."""
    assert (got.dtype, got.shape) == (np.float32, wanted.shape)
    rows, lengths = (
        np.linalg.norm(values.reshape(len(got), -1).astype(np.float64), axis=1)
        for values in (got.astype(np.float64) - wanted, wanted)
    )
    return float(np.max(rows / lengths))


def accepted(engine: str) -> float:
    """The largest error on pictures other than the probe's: twice the documented tolerance."""
    return 2 * TOLERANCES[engine.partition("/")[2]]


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


class Fake(Engine):
    """Torch, with results changed by `distort`."""

    name, precision, device, threads = "fake", "float32", "cpu", 1

    def __init__(
        self, model: Model, distort: Distort | None = None, *, checked: bool = True, compile_s: float = 0.0
    ) -> None:
        partition = partition_of(model)
        self.torch = TorchEngine(partition)
        super().__init__(*((probe_of(model), self.torch) if checked else (None, None)))
        self.distort = distort or (lambda values: values)
        self.compiled: list[tuple[str, str]] = []
        self.compile_s = compile_s
        self.inside = self.max_inside = self.calls = 0
        self.segment = self.torch.segment

    segment = None  # set for each instance, above

    @property
    def form(self) -> Any:
        return self.torch.form

    def _compile(self, kind: Any, point: SplitPoint) -> Any:
        self.inside += 1
        self.max_inside = max(self.max_inside, self.inside)
        self.compiled.append((kind, point.name))
        half = self.torch.require(kind, point)
        threading.Event().wait(self.compile_s)  # lets other threads in, if anything does
        self.inside -= 1

        def run(tensors: np.ndarray) -> np.ndarray:
            self.calls += 1
            return self.distort(half(tensors))

        return run


def one_nan(values: np.ndarray) -> np.ndarray:
    values = values.copy()
    values.reshape(-1)[-1] = np.nan
    return values


def _one_row_off(values: np.ndarray) -> np.ndarray:
    values = values.copy()
    values[-1] *= 1.002
    return values


DISTORTIONS: dict[str, Distort] = {
    "a little off": lambda values: values * np.float32(1.002),
    "one row off": _one_row_off,
    "zeros": np.zeros_like,
    "one NaN": one_nan,
    "infinite": lambda values: values / np.float32(0),
    "batch size stuck": lambda values: np.repeat(values[:1], len(values), axis=0),
    "rows in another order": lambda values: values[::-1],
    "a row too few": lambda values: values[:1],
    "a row too many": lambda values: np.concatenate([values, values[:1]]),
    "another shape": lambda values: values.reshape(len(values), -1, 1),
    "no shape at all": lambda values: values[0, 0],
}
"""What a faulty half may do to its results."""


def too_large(values: np.ndarray) -> np.ndarray:
    return values * np.float32(1.5)
