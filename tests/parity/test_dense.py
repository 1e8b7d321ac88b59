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

NETWORKS = {
    "ssdlite320_mobilenet_v3_large": 320,
    "fasterrcnn_mobilenet_v3_large_320_fpn": 320,
    "retinanet_resnet50_fpn": 192,
    "deeplabv3_mobilenet_v3_large": 192,
    "fasterrcnn_resnet50_fpn": 256,
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


def test_probe(subject):
    print(subject.built.name, [o.shape for o in subject.outputs], [(o.min(), o.max(), o.std()) for o in subject.outputs])
    whole = subject.engine.head(subject.bundle.partition.ends[1])((subject.pictures,))
    print("error", error(whole, subject.outputs))
    a = subject.found(subject.outputs); b = subject.found(whole)
    print([len(getattr(x,"boxes",())) for x in a], [x == y for x, y in zip(a, b)])
    points = list(subject.bundle.partition.points.values())
    chain = Segmented(subject.engine, points)
    for point, crossing, _ in chain.walk((subject.pictures,)):
        out = chain.tail(point)(crossing)
        e = error(out, subject.outputs)
        if e > 1e-5:
            rows = [np.abs(o - w).reshape(ROWS, o.shape[1], -1).max(2) > 1e-2 for o, w in zip(out, subject.outputs)]
            print(point.name, e, [r.sum() for r in rows])
