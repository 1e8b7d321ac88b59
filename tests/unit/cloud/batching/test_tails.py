"""One tail for each split point: compiled once however many ask, and all of one network alike."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from kits.numpy_network import CLASSES, ENDS, PYRAMID, SHAPES, NumpyEngine, write_bundle

from cloud.access.refusals import OverQuotaError
from cloud.batching.tails import IDLE_S, PAUSE_S, Tails
from shared.errors import EngineError, SplitPointError
from shared.limits import MAX_OWN_TAILS

if TYPE_CHECKING:
    from pathlib import Path

    from shared.engines.half import Half, Tensors
    from shared.engines.load import Network
    from shared.network.bundle import Bundle
    from shared.network.partition import Partition

POINTS = ["input", "layer3", "layer4.0.add", "avgpool"]


class Recorder(NumpyEngine):
    """An engine that notes what it runs, and compiles slowly."""

    def __init__(self, bundle: Bundle) -> None:
        super().__init__(bundle)
        self.ran: list[np.ndarray] = []
        self.inside = 0
        self.most_inside = 0
        self.fail = False
        self.cannot: set[str] = set()
        """Where no segment can begin."""
        self.segments: list[tuple[str, str]] = []

    def segment(self, start: Any, end: Any) -> Any:
        self.segments.append((start.name, end.name))
        self.inside += 1
        self.most_inside = max(self.most_inside, self.inside)
        try:
            if self.fail or start.name in self.cannot:
                raise EngineError(f"cannot compile from {start.name}")
            threading.Event().wait(0.002)
            segment = super().segment(start, end)
        finally:
            self.inside -= 1

        def run(tensors: Tensors) -> Tensors:
            self.ran.append(tensors[0])
            return segment(tensors)

        return run

    def _compile(self, kind: Any, point: Any) -> Half:
        self.inside += 1
        self.most_inside = max(self.most_inside, self.inside)
        try:
            if self.fail:
                raise EngineError("cannot compile")
            threading.Event().wait(0.01)  # lets the other threads in, if anything does
            half = super()._compile(kind, point)
        finally:
            self.inside -= 1

        def run(tensors: Tensors) -> Tensors:
            self.ran.append(tensors[0])
            return half(tensors)

        return run


@pytest.fixture
def engine(bundle: Bundle) -> Recorder:
    return Recorder(bundle)


@pytest.fixture
def tails(partition: Partition, engine: Recorder) -> Tails:
    return Tails(partition, engine)


def zeros(*shape: int) -> np.ndarray:
    return np.zeros(shape, np.float32)


def test_a_chain_is_compiled_once_however_many_threads_ask(tails: Tails, engine: Recorder) -> None:
    wanted = [("layer4", (1, 512, 7, 7)), ("avgpool", (1, 512, 1, 1)), ("flatten", (1, 512))] * 5
    together = threading.Barrier(len(wanted))

    def run(one: tuple[str, tuple[int, ...]]) -> Tensors:
        together.wait(60)
        return tails.run(one[0], [(zeros(*one[1]),)])

    with ThreadPoolExecutor(len(wanted)) as pool:
        got = list(pool.map(run, wanted))
    assert {logits.shape for (logits,) in got} == {(1, CLASSES)}
    assert not engine.compiled
    assert engine.most_inside == 1
    # One chain or both, by who came first; each has one segment fewer than points.
    assert len(engine.segments) in (len(SHAPES) - 1, len(SHAPES) - 1 + len(ENDS) + 1)


def test_naming_every_split_point_in_turn_compiles_each_segment_once(
    tails: Tails, engine: Recorder, partition: Partition
) -> None:
    """As the attack does that thrashed a cache of halves."""
    for _ in range(3):
        for name, point in partition.points.items():
            tails.run(name, [tuple(zeros(1, *shape) for shape in point.shapes)])
    at_ends, everywhere = ["input", *ENDS, "output"], list(SHAPES)
    assert sorted(engine.segments) == sorted([*pairwise(at_ends), *pairwise(everywhere)])
    assert not engine.compiled


def test_nothing_is_compiled_before_it_is_asked_for(tails: Tails, engine: Recorder) -> None:
    assert not engine.segments
    assert not tails.is_ready("flatten")
    assert tails.is_ready("output")
    for _ in range(2):
        tails.run("flatten", [(zeros(2, 512),)])
    assert engine.segments == list(pairwise(SHAPES))
    assert tails.is_ready("flatten")
    assert not tails.chained


def test_what_the_engine_holds_itself_is_taken_first(
    tails: Tails, engine: Recorder, partition: Partition
) -> None:
    engine.tail(partition.point("flatten"))
    assert tails.is_ready("flatten")
    tails.prepare("flatten")
    tails.run("flatten", [(zeros(2, 512),)])
    assert (engine.compiled, engine.segments) == ([("tail", "flatten")], [])


def test_a_tail_gives_what_the_network_gives(network: Network, tails: Tails) -> None:
    pictures = np.random.default_rng(1).normal(size=(4, 3, 224, 224)).astype(np.float32)
    (expected,) = network.engine.head(network.partition.point("output"))((pictures,))
    for name in POINTS:
        (tensors,) = network.engine.head(network.partition.point(name))((pictures,))
        for callers in ([(tensors,)], [(tensors[:1],), (tensors[1:3],), (tensors[3:],)]):
            (logits,) = tails.run(name, callers)
            assert (logits.dtype, logits.shape) == (np.float32, (4, CLASSES)), name
            np.testing.assert_allclose(logits, expected, rtol=1e-4, atol=1e-4, err_msg=name)


def test_at_the_output_nothing_is_computed(tails: Tails, engine: Recorder) -> None:
    logits = np.random.default_rng(2).normal(size=(3, CLASSES)).astype(np.float32)
    np.testing.assert_array_equal(tails.run("output", [(logits[:2],), (logits[2:],)])[0], logits)
    assert not engine.compiled


def test_every_output_is_given(tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path, outputs=["logits", "features"])
    outputs = Tails(bundle.partition, NumpyEngine(bundle)).run(
        "flatten", [(zeros(2, 512),), (zeros(1, 512),)]
    )
    assert [output.shape for output in outputs] == [(3, CLASSES), (3, 512)]


def test_a_caller_alone_is_not_copied_and_several_are_put_together_in_order(
    tails: Tails, engine: Recorder
) -> None:
    callers = [(np.full((rows, 512), rows, np.float32),) for rows in (2, 1, 3)]
    tails.run("flatten", callers[:1])
    assert engine.ran[-1] is callers[0][0]
    tails.run("flatten", callers)
    assert engine.ran[-1][:, 0].tolist() == [2, 2, 1, 3, 3, 3]


def test_an_unknown_split_point_is_refused(tails: Tails) -> None:
    for ask in (tails.prepare, tails.is_ready):
        with pytest.raises(SplitPointError, match="layer9"):
            ask("layer9")
    with pytest.raises(SplitPointError, match="layer9"):
        tails.run("layer9", [(zeros(1, 512),)])


def test_a_chain_that_fails_is_tried_again_after_a_pause(partition: Partition, engine: Recorder) -> None:
    now = [0.0]
    tails = Tails(partition, engine, lambda: now[0])
    engine.fail = True
    for _ in range(3):  # the reference of this engine is none, so the error is the first attempt's
        with pytest.raises(EngineError, match="cannot compile"):
            tails.prepare("avgpool")
    asked = len(engine.segments)
    assert asked <= 3
    engine.fail = False
    with pytest.raises(EngineError, match="cannot compile"):
        tails.prepare("avgpool")
    assert len(engine.segments) == asked
    now[0] = PAUSE_S
    assert tails.run("avgpool", [(zeros(1, 512, 1, 1),)])[0].shape == (1, CLASSES)


def test_where_no_chain_can_be_cut_few_have_a_tail_of_their_own(tmp_path: Path) -> None:
    now = [0.0]
    bundle = write_bundle(tmp_path, pyramid=PYRAMID)
    engine = Recorder(bundle)
    engine.cannot = {"pyramid"}
    tails = Tails(bundle.partition, engine, lambda: now[0])
    given = tuple(zeros(1, *shape) for shape in PYRAMID)
    for _ in range(2):
        assert tails.run("pyramid", [given])[0].shape == (1, CLASSES)
    assert engine.compiled == [("tail", "pyramid")]
    tails._own |= dict.fromkeys(["layer1.0", "layer2.0", "layer3.0"], 0.0)  # three others
    assert len(tails._own) == MAX_OWN_TAILS
    now[0] = 10.0
    tails.run("pyramid", [given])  # in use, so the others go first
    with pytest.raises(OverQuotaError, match="places are in use"):
        tails._give_its_own(bundle.partition.point("flatten"))
    now[0] = IDLE_S
    tails._give_its_own(bundle.partition.point("flatten"))
    assert set(tails._own) == {"pyramid", "layer2.0", "layer3.0", "flatten"}
    now[0] = 3 * IDLE_S
    for name in ("relu", "layer1", "layer2"):
        tails._give_its_own(bundle.partition.point(name))
    assert set(tails._own) == {"flatten", "relu", "layer1", "layer2"}
    assert not engine.at_hand("tail", bundle.partition.point("pyramid")), "what left is held by nobody"


def test_tails_made_ready_are_compiled_once_for_all_and_give_the_same(
    partition: Partition, engine: Recorder, tails: Tails
) -> None:
    ends = [partition.points[name] for name in ("layer3", "avgpool")]
    given = {name: np.ones((2, *partition.points[name].shape), np.float32) for name in ("input", "layer3")}
    (want,) = engine.once("tail", partition.points["layer3"])((given["layer3"],))
    assert not tails.chained
    tails.make_ready(ends)
    tails.make_ready(ends)
    assert tails.chained
    assert [name for name in partition.points if tails.is_ready(name)] == [
        "input", "layer3", "avgpool", "output",
    ]  # fmt: skip
    before = list(engine.segments)
    for name in ("input", "avgpool"):
        tails.run(name, [(np.ones((1, *partition.points[name].shape), np.float32),)])
    assert engine.segments == before
    (got,) = tails.run("layer3", [(given["layer3"],)])
    np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)
