"""A network as a chain of segments is the network, wherever it is cut."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import numpy as np
import pytest
from kits.edge import partition_of, tiny_model

from shared.engines import TorchEngine
from shared.engines.openvino import network as openvino_network
from shared.engines.openvino.engine import OpenVinoEngine
from shared.engines.openvino.form import FORMS
from shared.engines.openvino.runtime import precisions
from shared.engines.probe import Probe
from shared.engines.segmented import Segmented, segmented
from shared.errors import EngineError
from shared.network.stage_ends import stage_ends

MODEL = tiny_model()
PARTITION = partition_of(MODEL)
START, END = PARTITION.ends
POINTS = [START, *stage_ends(PARTITION.points.values()), END]
PICTURES = np.random.default_rng(0).standard_normal((3, *PARTITION.input_shape)).astype(np.float32)


def engine_of(name: str) -> Any:
    kind, precision = name.split("/")
    reference = TorchEngine(PARTITION)
    probe = Probe(PARTITION.points, MODEL.recipe, reference)
    if kind == "torch":
        return TorchEngine(PARTITION, precision=precision, probe=probe, reference=reference)
    return OpenVinoEngine(
        openvino_network.convert(PARTITION), PARTITION.ends, precision=precision, threads=1, probe=probe, reference=reference
    )  # fmt: skip


ENGINES = ["torch/float32", "torch/bfloat16", *(f"openvino/{each}" for each in precisions())]


@pytest.mark.parametrize("name", ENGINES)
def test_head_and_tail_at_every_point_give_the_whole_networks_answer(name: str) -> None:
    engine = engine_of(name)
    network = segmented(engine, POINTS)
    want = engine.head(END)(PICTURES)
    tolerance = 1e-5 if name.endswith("float32") else 0.02
    for point in POINTS:
        crossing = network.head(point)(PICTURES)
        assert crossing.shape == (3, *point.shape)
        assert crossing.dtype == np.float32
        given = network.tail(point)(crossing)
        assert np.linalg.norm(given - want) <= tolerance * np.linalg.norm(want), point.name


@pytest.mark.parametrize("name", ENGINES)
def test_what_a_part_gave_stays_as_it_is_when_the_part_runs_again(name: str) -> None:
    network = segmented(engine_of(name), POINTS)
    first = network.head(POINTS[1])(PICTURES[:1])
    kept = first.copy()
    network.head(POINTS[1])(PICTURES[1:2])
    assert np.array_equal(first, kept)


def test_a_walk_meets_every_point_but_the_input_with_what_crosses_there() -> None:
    network = segmented(engine_of("torch/float32"), POINTS)
    met = list(network.walk(PICTURES))
    assert [point for point, _, _ in met] == POINTS[1:]
    for point, tensors, _ in met:
        assert np.allclose(tensors, network.head(point)(PICTURES), atol=1e-5)


def test_a_walk_counts_a_heads_time_without_what_was_done_between_the_points() -> None:
    ticks = iter(range(1000))
    seconds = [
        each
        for _, _, each in segmented(engine_of("torch/float32"), POINTS).walk(PICTURES, lambda: next(ticks))
    ]
    assert seconds == [
        number + 2 for number in range(1, len(POINTS))
    ]  # pack, segments, unpack: one tick each


def test_a_chain_that_gives_other_numbers_is_run_by_the_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = engine_of("torch/bfloat16")
    right = engine.form.unpack
    monkeypatch.setattr(engine.form, "unpack", lambda inside: right(inside) + 1)
    with pytest.raises(EngineError, match="differs from torch"):
        Segmented(engine, POINTS)
    network = segmented(engine, POINTS)
    assert engine.failed_checks == 1
    want = TorchEngine(PARTITION).head(END)(PICTURES)
    assert np.allclose(network.tail(START)(PICTURES), want, atol=1e-5)


def test_the_reference_itself_has_no_stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = TorchEngine(PARTITION)

    def fail(*_: object) -> None:
        raise EngineError("cannot")

    monkeypatch.setattr(engine, "segment", fail)
    with pytest.raises(EngineError, match="cannot"):
        segmented(engine, POINTS)


@pytest.mark.parametrize("precision", ["float32", "float16", "bfloat16"])
def test_tensors_come_back_from_openvinos_form_rounded_to_nearest(precision: str) -> None:
    form = FORMS[precision]
    values = np.array([0.0, -0.0, 1.0, -3.14159, 65504.0, 1e-3, np.inf, -np.inf, np.nan], np.float32)
    again = form.unpack(form.pack(values))
    digits = {"float32": 0.0, "float16": 2**-11, "bfloat16": 2**-8}[precision]
    finite = np.isfinite(values)
    assert (np.abs(again[finite] - values[finite]) <= digits * np.abs(values[finite])).all()
    assert np.array_equal(again[~finite], values[~finite], equal_nan=True)


def test_bfloat16_rounds_half_to_even_and_overflows_to_infinity() -> None:
    form = FORMS["bfloat16"]
    bits = np.array([0x3F808000, 0x3F818000, 0x3F808001, 0x7F7FFFFF], np.uint32)
    again = form.unpack(form.pack(bits.view(np.float32))).view(np.uint32)
    assert [hex(each) for each in again] == ["0x3f800000", "0x3f820000", "0x3f810000", "0x7f800000"]


@pytest.mark.parametrize("name", ENGINES)
def test_a_chain_keeps_no_engine_in_memory(name: str) -> None:
    engine = engine_of(name)
    network = segmented(engine, POINTS)
    alive = weakref.ref(engine)
    del engine
    gc.collect()
    assert alive() is None
    assert network.head(END)(PICTURES).shape == (3, *END.shape)
