"""One tail for each split point: compiled once however many ask, and all of one network alike."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from kits.numpy_network import CLASSES, NumpyEngine, write_bundle

from cloud.batching.tails import Tails
from shared.errors import SplitPointError

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

    def _compile(self, kind: Any, point: Any) -> Half:
        self.inside += 1
        self.most_inside = max(self.most_inside, self.inside)
        try:
            if self.fail:
                raise RuntimeError("cannot compile")
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


def test_a_tail_is_compiled_once_however_many_threads_ask(tails: Tails, engine: Recorder) -> None:
    wanted = [("layer4", (1, 512, 7, 7)), ("avgpool", (1, 512, 1, 1))] * 8
    together = threading.Barrier(len(wanted))

    def run(one: tuple[str, tuple[int, ...]]) -> Tensors:
        together.wait(30)
        return tails.run(one[0], [(zeros(*one[1]),)])

    with ThreadPoolExecutor(len(wanted)) as pool:
        got = list(pool.map(run, wanted))
    assert {logits.shape for (logits,) in got} == {(1, CLASSES)}
    assert sorted(engine.compiled) == [("tail", "avgpool"), ("tail", "layer4")]
    assert engine.most_inside == 1


def test_nothing_is_compiled_before_it_is_asked_for(tails: Tails, engine: Recorder) -> None:
    assert not engine.compiled
    for _ in range(2):
        tails.run("flatten", [(zeros(2, 512),)])
    assert engine.compiled == [("tail", "flatten")]


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


def test_an_unknown_split_point_is_refused_and_a_failed_compilation_is_tried_again(
    tails: Tails, engine: Recorder
) -> None:
    with pytest.raises(SplitPointError, match="layer9"):
        tails.run("layer9", [(zeros(1, 512),)])
    engine.fail = True
    with pytest.raises(RuntimeError, match="cannot compile"):
        tails.run("avgpool", [(zeros(1, 512, 1, 1),)])
    engine.fail = False
    assert tails.run("avgpool", [(zeros(1, 512, 1, 1),)])[0].shape == (1, CLASSES)


def test_tails_made_ready_are_compiled_once_for_all_and_give_the_same(
    partition: Partition, engine: Recorder, tails: Tails
) -> None:
    ends = [partition.points[name] for name in ("layer3", "avgpool")]
    given = {name: np.ones((2, *partition.points[name].shape), np.float32) for name in ("input", "layer3")}
    (want,) = tails.run("layer3", [(given["layer3"],)])
    assert not tails.chained
    tails.make_ready(ends)
    tails.make_ready(ends)
    assert tails.chained
    assert [name for name in partition.points if tails.is_ready(name)] == ["input", "layer3", "avgpool"]
    before = list(engine.compiled)
    for name in ("input", "avgpool"):
        tails.run(name, [(np.ones((1, *partition.points[name].shape), np.float32),)])
    assert engine.compiled == before
    (got,) = tails.run("layer3", [(given["layer3"],)])
    np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)
