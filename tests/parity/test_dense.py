"""torchvision's detectors and segmentation networks: bundles against torch, and head then tail against the whole, at every split point.

Freshly initialised they would prove little: RetinaNet gives every box the same score, and a MobileNet's maps are next to nothing.
So they get other random weights, with which values keep their size and boxes have scores of their own. What is compared are the
tensors before the last selection of boxes, then the boxes that it leaves at threshold 0.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from kits.detectors import enliven
from kits.engines import error
from kits.parity import patterns

from shared.bundling.bundler import make_bundle
from shared.engines.openvino import network as openvino_network
from shared.engines.openvino.engine import OpenVinoEngine
from shared.engines.segmented import Segmented
from shared.engines.torch_engine import TorchEngine
from shared.network.choice import NetworkChoice
from shared.network.partition import INPUT, OUTPUT
from shared.process.threads import available_cores
from shared.tasks.registry import make_task
from shared.tasks.spec import Wanted
from shared.torch_network.graph.outputs import flatten
from shared.torch_network.partition import TorchPartition
from shared.torch_network.source import build as build_source

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shared.network.bundle import Bundle
    from shared.torch_network.network import TorchNetwork

pytestmark = pytest.mark.slow

NETWORKS = {
    "ssdlite320_mobilenet_v3_large": 320,
    "fasterrcnn_mobilenet_v3_large_320_fpn": 320,
    "retinanet_resnet50_fpn": 128,
    "deeplabv3_mobilenet_v3_large": 128,
}
"""By name, the side of the pictures."""
ROWS = 2
FEWEST = 50
NEAR = 1e-4
"""Relative error of tensors."""
THREADS = min(4, available_cores())


@dataclass(frozen=True)
class Subject:
    """A network, its bundle, pictures that no engine was checked with, and what torch computes of them."""

    built: TorchNetwork
    bundle: Bundle
    pictures: np.ndarray
    outputs: tuple[np.ndarray, ...]

    @cached_property
    def engine(self) -> OpenVinoEngine:
        return OpenVinoEngine(openvino_network.read(self.bundle), self.bundle, threads=THREADS)

    @cached_property
    def task(self) -> Any:
        return make_task(self.bundle.model, Wanted(threshold=0.0))

    def found(self, outputs: tuple[np.ndarray, ...]) -> list[Any]:
        """The answer to each picture."""
        return [self.task.answer(tuple(each[row] for each in outputs)) for row in range(ROWS)]


def build(name: str, folder: Path) -> Subject:
    side = NETWORKS[name]
    built = build_source(NetworkChoice(name, "random", recipe=f"size={side}"))
    pictures = patterns(side, ROWS)
    lively(built.module, torch.from_numpy(pictures))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("shared.bundling.sources.torch_module.build", lambda _choice, **_: built)
        bundle = make_bundle(NetworkChoice(name), folder, patience_s=0)
    with torch.inference_mode():
        outputs = flatten(built.module(torch.from_numpy(pictures)), torch.Tensor)
    return Subject(built, bundle, pictures, tuple(value.numpy() for value in outputs.values()))


def lively(network: torch.nn.Module, pictures: torch.Tensor) -> None:
    """Weights of our own, and normalisation by what these pictures give."""
    torch.manual_seed(0)
    enliven(network)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.reset_running_stats()
            module.momentum = None  # the mean of what it sees
            module.train()
    with torch.no_grad():
        network(pictures)
    network.eval()


@pytest.fixture(scope="module", params=NETWORKS)
def subject(request: pytest.FixtureRequest) -> Iterator[Subject]:
    """All tests of one network run before the next is built."""
    with tempfile.TemporaryDirectory() as folder:
        yield build(request.param, Path(folder))


def test_every_picture_is_told_from_the_others_and_boxes_from_each_other(subject: Subject) -> None:
    """Otherwise the other tests would prove little."""
    for values in subject.outputs:
        assert error(values[:1], values[1:]) > 10 * NEAR
    if subject.bundle.model.task.name == "detect":
        for answer in subject.found(subject.outputs):
            scores = [box.score for box in answer.boxes]
            assert len(scores) > FEWEST
            assert len(set(scores)) > FEWEST, "scores without differences"
    else:
        assert subject.bundle.model.task.name == "segment"
        assert all(len(np.unique(each.argmax(0))) > 3 for each in subject.outputs[0])


def test_openvino_and_torch_agree_before_the_last_selection_and_after_it(subject: Subject) -> None:
    whole = subject.engine.head(subject.bundle.partition.ends[1])((subject.pictures,))
    found = output_errors(whole, subject.outputs)
    print(f"{subject.built.name}: {found}")
    assert max(found) <= NEAR
    assert_same(subject, whole, "the whole")
    assert subject.engine.failed_checks == 0


def test_head_then_tail_agrees_at_every_split_point(subject: Subject) -> None:
    points = list(subject.bundle.partition.points.values())
    assert len(points) > 10
    if subject.bundle.model.task.name == "detect":
        assert any("backbone" in point.name for point in points)
    chain = Segmented(subject.engine, points)
    compared = 0
    for point, crossing, _ in chain.walk((subject.pictures,)):
        assert [each.shape for each in crossing] == [(ROWS, *shape) for shape in point.shapes], point.name
        outputs = chain.tail(point)(crossing)
        assert max(output_errors(outputs, subject.outputs)) <= NEAR, point.name
        assert_same(subject, outputs, point.name)
        compared += 1
    assert compared == len(points) - 1
    assert subject.engine.failed_checks == 0


def test_torch_cuts_it_inside_its_backbone(subject: Subject) -> None:
    partition = TorchPartition(subject.built.module, subject.built.recipe.tensor_shape)
    engine = TorchEngine(partition)
    shared = [name for name in partition.points if name in subject.bundle.partition.points]
    inner = [name for name in shared if name not in (INPUT, OUTPUT)]
    assert len(inner) > 5
    for name in (inner[0], inner[len(inner) // 2], inner[-1]):
        point = subject.bundle.partition.points[name]
        outputs = engine.tail(point)(subject.engine.head(point)((subject.pictures,)))
        assert max(output_errors(outputs, subject.outputs)) <= NEAR, name


def output_errors(got: tuple[np.ndarray, ...], want: tuple[np.ndarray, ...]) -> list[float]:
    """The relative error of each output."""
    return [error((mine,), (right,)) for mine, right in zip(got, want, strict=True)]


def assert_same(subject: Subject, outputs: tuple[np.ndarray, ...], what: str) -> None:
    """The answers are those of torch's outputs: the same boxes, or the same class nearly everywhere."""
    if subject.bundle.model.task.name != "detect":
        same = outputs[0].argmax(1) == subject.outputs[0].argmax(1)
        assert same.mean() > 0.999, what
        return
    for mine, right in zip(subject.found(outputs), subject.found(subject.outputs), strict=True):
        assert len(mine.boxes) == len(right.boxes), what
        left = list(right.boxes)
        for box in mine.boxes:
            same = [other for other in left if is_same(box, other)]
            assert same, f"{what}: {box}"
            left.remove(same[0])


def is_same(box: Any, other: Any) -> bool:
    """Up to rounding: boxes of nearly the same score may come in another order."""
    return (
        box.class_id == other.class_id
        and abs(box.score - other.score) < 1e-3
        and max(abs(a - b) for a, b in zip(box.corners, other.corners, strict=True)) < 0.1
    )
