"""Fixtures of the engine tests: engines of the small bundle, inputs and right answers, and an engine that can be made to fail."""

from __future__ import annotations

import logging
import threading
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from kits.bundles import MIDDLE, oracle, tiny

from shared.engines.base import TOLERANCES, Engine
from shared.engines.openvino import network as openvino_network
from shared.engines.openvino.engine import OpenVinoEngine
from shared.engines.openvino.runtime import precisions
from shared.engines.probe import Probe
from shared.network.partition import INPUT, OUTPUT

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from shared.engines.half import Tensors
    from shared.network.bundle import Bundle
    from shared.network.partition import SplitPoint

    Distort = Callable[[np.ndarray], np.ndarray]

NATIVE = precisions()
"""The precisions that OpenVINO computes natively on this CPU."""


def middle() -> SplitPoint:
    return tiny().partition.point(MIDDLE)


@cache
def network_of(bundle: Bundle) -> Any:
    return openvino_network.read(bundle)


def new_engine(precision: str = "float32", bundle: Bundle | None = None, **options: Any) -> OpenVinoEngine:
    """An engine that checks its halves and has no reference; float32 computes what its probe has no input for."""
    bundle = bundle or tiny()
    engine = OpenVinoEngine(
        network_of(bundle),
        bundle,
        precision=precision,
        probe=Probe(bundle, lambda: engine if precision == "float32" else engine_of("float32", bundle)),
        **{"threads": 2} | options,
    )
    return engine


@cache
def engine_of(precision: str, bundle: Bundle | None = None) -> OpenVinoEngine:
    """The same, one for all tests: leave it as it is."""
    return new_engine(precision, bundle)


def given_to(kind: str, point: SplitPoint, rows: int, seed: int = 0) -> np.ndarray:
    """An input of a half of the small network; every row is different."""
    shape = tiny().partition.points[INPUT].shape if kind == "head" else point.shapes[0]
    return np.random.default_rng(seed).normal(0, 1, (rows, *shape)).astype(np.float32)


def expected(kind: str, point: SplitPoint, tensors: np.ndarray, outputs: int = 1) -> Tensors:
    """What the half has to give for it."""
    net = oracle(outputs=outputs)
    return net.crossings(tensors)[point.name] if kind == "head" else net.tail(point.name, tensors)


def error(got: Tensors | np.ndarray, wanted: Tensors | np.ndarray) -> float:
    """The largest relative error of a row of any tensor; NaN if any value is."""
    got, wanted = ((each,) if isinstance(each, np.ndarray) else each for each in (got, wanted))
    assert [each.shape for each in got] == [each.shape for each in wanted]
    assert {each.dtype for each in got} == {np.dtype(np.float32)}
    worst = [0.0]
    for found, right in zip(got, wanted, strict=True):
        rows, lengths = (
            np.linalg.norm(values.reshape(len(found), -1), axis=1)
            for values in (found.astype(np.float64) - right, right.astype(np.float64))
        )
        worst.append(np.max(rows / lengths))
    return float(np.max(worst))


def accepted(precision: str) -> float:
    """The largest error on pictures other than the probe's: twice the documented tolerance."""
    return 2 * TOLERANCES[precision]


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


class Fake(Engine):
    """The oracle as an engine, with results changed by `distort`."""

    name, precision, device, threads = "fake", "float32", "cpu", 1

    def __init__(
        self,
        distort: Distort | None = None,
        *,
        bundle: Bundle | None = None,
        checked: bool = True,
        compile_s: float = 0.0,
    ) -> None:
        self.bundle = bundle or tiny()
        self.reference = engine_of("float32", bundle)
        super().__init__(
            *(
                (Probe(self.bundle, lambda: self.reference), lambda: self.reference)
                if checked
                else (None, None)
            )
        )
        self.distort = distort or (lambda values: values)
        self.compiled: list[tuple[str, str]] = []
        self.compile_s = compile_s
        self.inside = self.max_inside = self.calls = 0

    def segment(self, start: SplitPoint, end: SplitPoint) -> Any:
        segment = self.reference.segment(start, end)
        form = self.form
        return lambda packed: form.pack(tuple(map(self.distort, form.unpack(segment(packed)))))

    @property
    def form(self) -> Any:
        return self.reference.form

    def _compile(self, kind: Any, point: SplitPoint) -> Any:
        self.inside += 1
        self.max_inside = max(self.max_inside, self.inside)
        self.compiled.append((kind, point.name))
        threading.Event().wait(self.compile_s)  # lets other threads in, if anything does
        self.inside -= 1
        outputs = len(self.bundle.model.outputs)

        def run(tensors: Tensors) -> Tensors:
            self.calls += 1
            return tuple(map(self.distort, expected(kind, point, tensors[0], outputs)))

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


def ends() -> tuple[SplitPoint, SplitPoint]:
    points = tiny().partition.points
    return points[INPUT], points[OUTPUT]
