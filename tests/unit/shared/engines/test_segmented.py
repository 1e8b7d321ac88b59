"""A network as a chain of segments gives the network's answers, wherever it is cut."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest
from kits.bundles import oracle, tiny
from kits.engines import NATIVE, Fake, engine_of, error, new_engine

from shared.engines.base import TOLERANCES
from shared.engines.segmented import Segmented, segmented
from shared.errors import EngineError
from shared.network.partition import INPUT, OUTPUT

PICTURES = np.random.default_rng(0).standard_normal((3, 3, 8, 8)).astype(np.float32)
POINTS = [tiny().partition.point(name) for name in (INPUT, "relu", "tokens", "mix", OUTPUT)]


@pytest.mark.parametrize("outputs", [1, 2])
@pytest.mark.parametrize("batch", [None, 1])
@pytest.mark.parametrize("precision", NATIVE)
def test_a_chain_gives_the_networks_answers_and_holds_no_engine(
    precision: str, batch: int | None, outputs: int
) -> None:
    bundle = tiny(batch=batch, outputs=outputs)
    points = [bundle.partition.point(point.name) for point in POINTS]
    engine = new_engine(precision, bundle, threads=1)
    network = segmented(engine, points)
    alive = weakref.ref(engine)
    del engine
    gc.collect()
    assert alive() is None
    right = oracle(outputs=outputs).crossings(PICTURES)
    for point in points:
        crossing = network.head(point)((PICTURES,))
        assert error(crossing, right[point.name]) <= 2 * TOLERANCES[precision], point.name
        if point.name != OUTPUT:
            assert error(network.tail(point)(crossing), right[OUTPUT]) <= 2 * TOLERANCES[precision], (
                point.name
            )
    (first,) = network.head(points[1])((PICTURES[:1],))
    copy = first.copy()
    network.head(points[1])((PICTURES[1:2],))
    assert np.array_equal(first, copy), "a result changed when the half ran again"


def test_a_walk_meets_every_point_but_the_input_with_what_crosses_there() -> None:
    for batch, pictures in ((None, PICTURES), (1, PICTURES[:1])):
        network = segmented(engine_of("float32", tiny(batch=batch)), POINTS)
        met = list(network.walk((pictures,)))
        assert [point for point, _, _ in met] == POINTS[1:]
        for point, tensors, _ in met:
            assert error(tensors, oracle().crossings(pictures)[point.name]) < 1e-5, (point.name, batch)


def test_a_walk_measures_a_heads_time_without_what_happens_between_the_points() -> None:
    ticks = iter(range(1000))
    network = segmented(engine_of("float32"), POINTS)
    seconds = [each for _, _, each in network.walk((PICTURES,), lambda: next(ticks))]
    # One tick each for packing, every segment, and unpacking.
    assert seconds == [number + 2 for number in range(1, len(POINTS))]


def test_a_chain_that_gives_other_numbers_is_run_by_the_reference() -> None:
    engine = Fake(lambda values: values + 1)
    with pytest.raises(EngineError, match="differs from the bundle's probe"):
        Segmented(engine, POINTS)
    network = segmented(engine, POINTS)
    assert engine.failed_checks == 1
    assert error(network.tail(POINTS[0])((PICTURES,)), oracle().crossings(PICTURES)[OUTPUT]) < 1e-5


def test_nothing_stands_in_for_the_reference_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = new_engine()

    def fail(*_: object) -> None:
        raise EngineError("cannot")

    monkeypatch.setattr(engine, "segment", fail)
    with pytest.raises(EngineError, match="cannot"):
        segmented(engine, POINTS)
