"""A network as a chain of segments gives the network's answers, wherever it is cut."""

from __future__ import annotations

import gc
import weakref
from functools import cache
from typing import Any

import numpy as np
import pytest
from kits.edge import partition_of, tiny_model
from kits.engines import ENGINES, probe_of

from shared.engines import TorchEngine
from shared.engines.openvino import network as openvino_network
from shared.engines.openvino.engine import OpenVinoEngine
from shared.engines.segmented import Segmented, segmented
from shared.errors import EngineError
from shared.network.stage_ends import stage_ends

pytestmark = pytest.mark.slow  # processes, networks or compilations

MODEL = tiny_model()
PARTITION = partition_of(MODEL)
START, END = PARTITION.ends
POINTS = [START, *stage_ends(PARTITION.points.values()), END]
PICTURES = np.random.default_rng(0).standard_normal((3, *PARTITION.input_shape)).astype(np.float32)

converted = cache(lambda: openvino_network.convert(PARTITION))


def engine_of(name: str) -> Any:
    runtime, precision = name.split("/")
    probe, reference = probe_of(MODEL), TorchEngine(PARTITION)
    if runtime == "torch":
        return TorchEngine(PARTITION, precision=precision, probe=probe, reference=reference)
    return OpenVinoEngine(
        converted(), PARTITION.ends, precision=precision, threads=1, probe=probe, reference=reference
    )


@pytest.mark.parametrize("name", ENGINES)
def test_a_chain_gives_the_networks_answers_and_holds_no_engine(name: str) -> None:
    engine = engine_of(name)
    want = engine.head(END)(PICTURES)
    network = segmented(engine, POINTS)
    alive = weakref.ref(engine)
    del engine
    gc.collect()
    assert alive() is None
    tolerance = 1e-5 if name.endswith("float32") else 0.02
    for point in POINTS:
        crossing = network.head(point)(PICTURES)
        assert crossing.shape == (3, *point.shape)
        assert crossing.dtype == np.float32
        got = network.tail(point)(crossing)
        assert got.shape == (3, *END.shape)
        assert np.linalg.norm(got - want) <= tolerance * np.linalg.norm(want), point.name
    first = network.head(POINTS[1])(PICTURES[:1])
    copy = first.copy()
    network.head(POINTS[1])(PICTURES[1:2])
    assert np.array_equal(first, copy), "a result changed when the half ran again"


def test_a_walk_meets_every_point_but_the_input_with_what_crosses_there() -> None:
    network = segmented(engine_of("torch/float32"), POINTS)
    met = list(network.walk(PICTURES))
    assert [point for point, _, _ in met] == POINTS[1:]
    for point, tensors, _ in met:
        assert np.allclose(tensors, network.head(point)(PICTURES), atol=1e-5)


def test_a_walk_measures_a_heads_time_without_what_happens_between_the_points() -> None:
    ticks = iter(range(1000))
    network = segmented(engine_of("torch/float32"), POINTS)
    seconds = [each for _, _, each in network.walk(PICTURES, lambda: next(ticks))]
    # One tick each for packing, every segment, and unpacking.
    assert seconds == [number + 2 for number in range(1, len(POINTS))]


def test_a_chain_that_gives_other_numbers_is_run_by_the_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = engine_of("torch/bfloat16")
    right = engine.form.unpack
    monkeypatch.setattr(engine.form, "unpack", lambda packed: right(packed) + 1)
    with pytest.raises(EngineError, match="differs from torch"):
        Segmented(engine, POINTS)
    network = segmented(engine, POINTS)
    assert engine.failed_checks == 1
    want = TorchEngine(PARTITION).head(END)(PICTURES)
    assert np.allclose(network.tail(START)(PICTURES), want, atol=1e-5)


def test_nothing_stands_in_for_the_reference_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = TorchEngine(PARTITION)

    def fail(*_: object) -> None:
        raise EngineError("cannot")

    monkeypatch.setattr(engine, "segment", fail)
    with pytest.raises(EngineError, match="cannot"):
        segmented(engine, POINTS)
