"""One tail for each split point: compiled once however many ask, and all of them on the same parameters."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from cloud.batching.tails import Tails
from shared.engines import TorchEngine
from shared.errors import SplitPointError

if TYPE_CHECKING:
    from shared.network.model import Model
    from shared.network.partition import Partition

POINTS = ["input", "layer3", "layer4.0.add", "avgpool", "output"]


class Recorder(TorchEngine):
    """An engine that notes what it compiles and what it runs, and compiles slowly."""

    def __init__(self, partition: Partition) -> None:
        super().__init__(partition)
        self.compiled: list[tuple[str, tuple[int, ...]]] = []
        self.ran: list[np.ndarray] = []
        self.inside = 0
        self.most_inside = 0
        self.fail = False

    def _compile(self, kind: Any, point: Any) -> Any:
        self.inside += 1
        self.most_inside = max(self.most_inside, self.inside)
        try:
            if self.fail:
                raise RuntimeError("cannot compile")
            self.compiled.append((kind, point.shape))
            threading.Event().wait(0.01)  # lets the other threads in, if anything does
            half = super()._compile(kind, point)
        finally:
            self.inside -= 1

        def run(tensors: np.ndarray) -> np.ndarray:
            self.ran.append(tensors)
            return half(tensors)

        return run


@pytest.fixture
def engine(partition: Partition) -> Recorder:
    return Recorder(partition)


@pytest.fixture
def tails(partition: Partition, engine: Recorder) -> Tails:
    return Tails(partition, engine)


def zeros(*shape: int) -> np.ndarray:
    return np.zeros(shape, np.float32)


def test_a_tail_is_compiled_once_however_many_threads_ask(tails: Tails, engine: Recorder) -> None:
    wanted = [("layer4", (1, 512, 7, 7)), ("avgpool", (1, 512, 1, 1))] * 8
    together = threading.Barrier(len(wanted))

    def run(one: tuple[str, tuple[int, ...]]) -> np.ndarray:
        together.wait(30)
        return tails.run(one[0], [(zeros(*one[1]),)])

    with ThreadPoolExecutor(len(wanted)) as pool:
        got = list(pool.map(run, wanted))
    assert {logits.shape for logits in got} == {(1, 1000)}
    assert sorted(engine.compiled) == [("tail", (512, 1, 1)), ("tail", (512, 7, 7))]
    assert engine.most_inside == 1


def test_nothing_is_compiled_before_it_is_asked_for(tails: Tails, engine: Recorder) -> None:
    assert not engine.compiled
    for _ in range(2):
        tails.run("flatten", [(zeros(2, 512),)])
    assert engine.compiled == [("tail", (512,))]


def test_all_tails_share_the_networks_parameters(resnet18: Model, partition: Partition) -> None:
    halves: list[torch.nn.Module] = []

    class Watched:
        """The partition, with a list of the tails that were taken from it."""

        def __getattr__(self, name: str) -> Any:
            return getattr(partition, name)

        def tail(self, point: Any) -> Any:
            halves.append(partition.tail(point))
            return halves[-1]

    watched = Watched()
    tails = Tails(watched, TorchEngine(watched))  # type: ignore[arg-type]
    for name in POINTS:
        tails.run(name, [(zeros(1, *partition.point(name).shape),)])
    own = {parameter.data_ptr() for parameter in resnet18.network.parameters()}
    assert len(halves) == len(POINTS) - 1  # at `output` nothing is computed
    for half in halves:
        pointers = {parameter.data_ptr() for parameter in half.parameters()}
        assert pointers
        assert pointers <= own


def test_a_tail_gives_what_the_network_gives(resnet18: Model, partition: Partition, tails: Tails) -> None:
    pictures = torch.from_numpy(np.random.default_rng(1).normal(size=(4, 3, 224, 224)).astype(np.float32))
    with torch.inference_mode():
        expected = resnet18.network(pictures).numpy()
    for name in POINTS:
        with torch.inference_mode():
            tensors = partition.head(partition.point(name))(pictures).numpy()
        for callers in ([(tensors,)], [(tensors[:1],), (tensors[1:3],), (tensors[3:],)]):
            logits = tails.run(name, callers)
            assert (logits.dtype, logits.shape) == (np.float32, (4, 1000)), name
            np.testing.assert_allclose(logits, expected, rtol=1e-4, atol=1e-4, err_msg=name)


def test_a_caller_alone_is_not_copied_and_several_are_put_together_in_order(
    tails: Tails, engine: Recorder
) -> None:
    callers = [(np.full((rows, 512), rows, np.float32),) for rows in (2, 1, 3)]
    tails.run("flatten", callers[:1])
    assert engine.ran[-1] is callers[0][0]
    tails.run("flatten", callers)
    assert engine.ran[-1][:, 0].tolist() == [2, 2, 1, 3, 3, 3]


def test_a_read_only_tensor_is_taken_as_well(tails: Tails) -> None:
    tensors = np.frombuffer(np.ones((1, 512), np.float32).tobytes(), np.float32).reshape(1, 512)
    assert not tensors.flags.writeable
    expected = tails.run("flatten", [(np.ones((1, 512), np.float32),)])
    np.testing.assert_array_equal(tails.run("flatten", [(tensors,)]), expected)
    np.testing.assert_allclose(
        tails.run("flatten", [(tensors,), (tensors,)]), np.repeat(expected, 2, 0), atol=1e-5
    )


def test_an_unknown_split_point_is_refused_and_a_failed_compilation_is_tried_again(
    tails: Tails, engine: Recorder
) -> None:
    with pytest.raises(SplitPointError, match="layer9"):
        tails.run("layer9", [(zeros(1, 512),)])
    engine.fail = True
    with pytest.raises(RuntimeError, match="cannot compile"):
        tails.run("avgpool", [(zeros(1, 512, 1, 1),)])
    engine.fail = False
    assert tails.run("avgpool", [(zeros(1, 512, 1, 1),)]).shape == (1, 1000)


def test_tails_made_ready_are_compiled_once_for_all_and_give_the_same(
    partition: Partition, engine: Recorder, tails: Tails
) -> None:
    ends = [partition.points[name] for name in ("layer3", "avgpool")]
    given = {name: np.ones((2, *partition.points[name].shape), np.float32) for name in ("input", "layer3")}
    want = {name: tails.run(name, [(tensors,)]) for name, tensors in given.items() if name == "layer3"}
    tails.make_ready(ends)
    tails.make_ready(ends)
    before = list(engine.compiled)
    for name in ("input", "avgpool"):
        tails.run(name, [(np.ones((1, *partition.points[name].shape), np.float32),)])
    assert engine.compiled == before
    np.testing.assert_allclose(
        tails.run("layer3", [(given["layer3"],)]), want["layer3"], rtol=1e-4, atol=1e-5
    )
