"""One tail a split point: compiled once however many ask, and all of them on the same parameters."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from cloud.tails import Tails
from shared.engines import TorchEngine
from shared.errors import SplitPointError

if TYPE_CHECKING:
    from shared.models import Model
    from shared.partition import Partition

POINTS = ["input", "layer3", "layer4.0.add", "avgpool", "output"]


class Recorder:
    """An engine that notes what it is given to compile, and is in no hurry."""

    name = "recorder"

    def __init__(self) -> None:
        self.engine = TorchEngine()
        self.compiled: list[tuple[torch.nn.Module, tuple[int, ...]]] = []
        self.inside = 0
        self.most_inside = 0
        self.fail = False

    def compile(self, part: torch.nn.Module, shape: tuple[int, ...]) -> Any:
        self.inside += 1
        self.most_inside = max(self.most_inside, self.inside)
        try:
            if self.fail:
                raise RuntimeError("cannot compile")
            self.compiled.append((part, shape))
            threading.Event().wait(0.01)  # lets the other threads in, if anything does
            return self.engine.compile(part, shape)
        finally:
            self.inside -= 1


@pytest.fixture
def engine() -> Recorder:
    return Recorder()


@pytest.fixture
def tails(partition: Partition, engine: Recorder) -> Tails:
    return Tails(partition, engine)


def test_a_tail_is_compiled_once_however_many_threads_ask(tails: Tails, engine: Recorder) -> None:
    wanted = ["layer4", "avgpool"] * 8
    together = threading.Barrier(len(wanted))

    def prepare(name: str) -> Any:
        together.wait(30)
        return tails.prepare(name)

    with ThreadPoolExecutor(len(wanted)) as pool:
        got = list(pool.map(prepare, wanted))
    assert len(set(map(id, got))) == 2
    assert all(part is tails.prepare(name) for name, part in zip(wanted, got, strict=True))
    assert sorted(shape for _, shape in engine.compiled) == [(512, 1, 1), (512, 7, 7)]
    assert engine.most_inside == 1


def test_nothing_is_compiled_before_it_is_asked_for(tails: Tails, engine: Recorder) -> None:
    assert not engine.compiled
    tails.run("flatten", np.zeros((2, 512), np.float32))
    assert [shape for _, shape in engine.compiled] == [(512,)]


def test_all_tails_share_the_networks_parameters(resnet18: Model, tails: Tails, engine: Recorder) -> None:
    for name in POINTS:
        tails.prepare(name)
    own = {parameter.data_ptr() for parameter in resnet18.network.parameters()}
    for (part, _), name in zip(engine.compiled, POINTS, strict=True):
        pointers = {parameter.data_ptr() for parameter in part.parameters()}
        assert pointers <= own
        assert bool(pointers) == (name != "output")


@pytest.mark.parametrize("name", POINTS)
def test_a_tail_gives_what_the_network_gives(
    resnet18: Model, partition: Partition, tails: Tails, name: str
) -> None:
    pictures = torch.from_numpy(np.random.default_rng(1).normal(size=(2, 3, 224, 224)).astype(np.float32))
    with torch.inference_mode():
        expected = resnet18.network(pictures).numpy()
        crossing = partition.head(partition.point(name))(pictures).numpy()
    logits = tails.run(name, crossing)
    assert (logits.dtype, logits.shape) == (np.float32, (2, 1000))
    np.testing.assert_allclose(logits, expected, rtol=1e-4, atol=1e-4)


def test_a_read_only_tensor_is_taken_as_well(tails: Tails) -> None:
    tensors = np.frombuffer(np.ones((1, 512), np.float32).tobytes(), np.float32).reshape(1, 512)
    assert not tensors.flags.writeable
    np.testing.assert_array_equal(
        tails.run("flatten", tensors), tails.run("flatten", np.ones((1, 512), np.float32))
    )


def test_an_unknown_split_point_is_refused_and_a_failed_compilation_is_tried_again(
    tails: Tails, engine: Recorder
) -> None:
    with pytest.raises(SplitPointError, match="layer9"):
        tails.prepare("layer9")
    engine.fail = True
    with pytest.raises(RuntimeError, match="cannot compile"):
        tails.prepare("avgpool")
    engine.fail = False
    assert tails.run("avgpool", np.zeros((1, 512, 1, 1), np.float32)).shape == (1, 1000)
