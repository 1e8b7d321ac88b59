"""OpenVINO against torch: at every split point of four architectures both halves give torch's numbers.

What is compared are pictures that no engine was checked with: photographs where the weights are real, patterns elsewhere.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from kits.parity import PHOTOGRAPHS, WEIGHTS, photograph

from shared.engines import TorchEngine
from shared.engines.base import TOLERANCES
from shared.engines.openvino import network as openvino_network
from shared.engines.openvino.engine import OpenVinoEngine
from shared.engines.openvino.runtime import precisions
from shared.engines.probe import Probe
from shared.network.model import Model, load_model
from shared.network.partition import INPUT, OUTPUT, Partition, SplitPoint
from shared.network.recipe import Recipe
from shared.network.vision import get_model
from shared.process.threads import available_cores

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shared.engines import Engine

NETWORKS = ("resnet50", "mobilenet_v2", "efficientnet_b0", "vit_b_16")
THREADS = min(4, available_cores())
ROWS = 3
SPREAD = 4
BFLOAT16 = pytest.mark.skipif(
    "bfloat16" not in precisions(), reason="this CPU does not compute in bfloat16 itself"
)


@dataclass(frozen=True)
class Subject:
    """A network, a batch of different pictures, and what torch makes of it at every split point."""

    model: Model
    partition: Partition
    pictures: np.ndarray
    crossings: dict[str, np.ndarray]
    converted: Any

    @property
    def logits(self) -> np.ndarray:
        return self.crossings[OUTPUT]

    def openvino(self, precision: str = "float32", *, checked: bool = False) -> OpenVinoEngine:
        reference = TorchEngine(self.partition)
        return OpenVinoEngine(
            self.converted,
            self.partition.ends,
            precision=precision,
            threads=THREADS,
            probe=Probe(self.partition.points, self.model.recipe, reference) if checked else None,
            reference=reference,
        )


def small_vit() -> Model:
    """For pictures of half the side: the same operations with a quarter of the work."""
    recipe = Recipe(112, 112, (0.5, 0.5, 0.5), (0.25, 0.25, 0.25), "bilinear")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = get_model("vit_b_16", weights=None, image_size=recipe.crop).eval()
        # Without training its classifier is nothing but zeros, and any tail would agree.
        torch.nn.init.normal_(network.heads.head.weight, std=0.05)
    labels = tuple(f"class {number}" for number in range(1000))
    return Model(
        name="vit_b_16",
        weights="random",
        network=network.requires_grad_(requires_grad=False),
        recipe=recipe,
        labels=labels,
        fingerprint=bytes(8),
    )


def patterns(side: int) -> np.ndarray:
    """Unlike each other in colour, contrast and detail: a random network makes nearly the same of like ones."""
    random = np.random.default_rng(3)
    y, x = np.mgrid[0:side, 0:side] / side
    pictures = []
    for row in range(ROWS):
        waves = [
            np.sin((3 + 5 * row) * x * (1 + colour) + row) * np.cos((2 + 4 * row) * y + colour)
            for colour in range(3)
        ]
        noise = random.normal(size=(3, side, side))
        pictures.append((0.5 + row) * np.stack(waves) + (0.2 + 0.5 * row) * noise + 0.7 * (row - 1))
    return np.stack(pictures).astype(np.float32)


def build(name: str) -> Subject:
    """With real weights where they are."""
    weights = WEIGHTS / f"{name}.pth"
    real = weights.is_file() and len(PHOTOGRAPHS) >= 240 and not name.startswith("vit")
    model = small_vit() if name.startswith("vit") else load_model(name, str(weights) if real else "random")
    if real:
        pictures = np.stack([photograph(path, model.recipe) for path in PHOTOGRAPHS[7::80][:ROWS]])
    else:
        pictures = patterns(model.recipe.crop)
    partition = Partition(model.network, model.recipe.tensor_shape)
    with torch.inference_mode():
        values = partition.crossings()(torch.from_numpy(pictures.copy()))
    crossings = {name: value.numpy() for name, value in zip(partition.points, values, strict=True)}
    return Subject(model, partition, pictures, crossings, openvino_network.convert(partition))


@pytest.fixture(scope="module", params=NETWORKS)
def subject(request: pytest.FixtureRequest) -> Subject:
    """All tests of one network run before the next is built."""
    return build(request.param)


@pytest.fixture(scope="module", autouse=True)
def _threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(THREADS)
    yield
    torch.set_num_threads(before)


def error(got: np.ndarray, wanted: np.ndarray) -> float:
    """The largest relative error of a row; NaN if any value is."""
    assert (got.dtype, got.shape) == (np.float32, wanted.shape)
    rows = (got.astype(np.float64) - wanted).reshape(len(got), -1)
    lengths = np.linalg.norm(wanted.reshape(len(got), -1).astype(np.float64), axis=1)
    return float(np.max(np.linalg.norm(rows, axis=1) / lengths))


def spread(partition: Partition) -> list[SplitPoint]:
    """Points from one end to the other, both ends and the default among them."""
    points = list(partition.points.values())
    places = np.linspace(0, len(points) - 1, SPREAD).round().astype(int)
    return sorted({*(points[place] for place in places), partition.default()}, key=points.index)


def halves(engine: Engine, subject: Subject, point: SplitPoint) -> Iterator[tuple[str, float]]:
    """The error of each half by itself: each gets what torch gives it."""
    yield f"head at {point.name}", error(engine.head(point)(subject.pictures), subject.crossings[point.name])
    yield f"tail at {point.name}", error(engine.tail(point)(subject.crossings[point.name]), subject.logits)
    engine._parts.clear()  # hundreds of them would not fit into memory


def test_every_picture_is_told_from_the_others_everywhere(subject: Subject) -> None:
    """Otherwise what follows would prove little."""
    for name, values in subject.crossings.items():
        for one, other in itertools.permutations(range(ROWS), 2):
            assert error(values[[one]], values[[other]]) > 2 * TOLERANCES["bfloat16"], name


def test_in_float32_both_halves_agree_at_every_split_point(subject: Subject) -> None:
    points = list(subject.partition.points.values())
    assert len(points) > 30
    before = subject.pictures.copy()
    engine = subject.openvino()
    errors = {what: found for point in points for what, found in halves(engine, subject, point)}
    assert len(errors) == 2 * len(points)
    worst = max(errors, key=errors.__getitem__)
    print(f"{subject.model.name}, {subject.model.weights}: worst {errors[worst]:.2g}, {worst}")
    assert not np.isnan(list(errors.values())).any()
    assert errors[worst] <= TOLERANCES["float32"], worst
    # Measured: 4e-6. What comes near to what is accepted is a mistake, not rounding.
    assert errors[worst] <= TOLERANCES["float32"] / 20, worst
    assert engine.failed_checks == 0
    np.testing.assert_array_equal(subject.pictures, before)


def test_the_two_sides_may_run_different_engines(subject: Subject) -> None:
    other, reference = subject.openvino(), TorchEngine(subject.partition)
    for point in spread(subject.partition)[1:-1]:
        for head, tail in ((reference, other), (other, reference), (other, other)):
            logits = tail.tail(point)(head.head(point)(subject.pictures))
            assert error(logits, subject.logits) <= TOLERANCES["float32"], (head.name, point.name, tail.name)
        other._parts.clear()


@BFLOAT16
def test_in_bfloat16_what_passes_its_check_is_near_and_the_rest_is_torchs(subject: Subject) -> None:
    """A probe of two pictures cannot speak for all: others' errors were up to 2.2 times what is accepted on it."""
    engine = subject.openvino("bfloat16", checked=True)
    near, refused = {}, 0
    for point in spread(subject.partition):
        for what, found in halves(engine, subject, point):
            if engine.failed_checks > refused:
                refused = engine.failed_checks
                assert found <= 1e-5, what
            elif what not in (f"head at {INPUT}", f"tail at {OUTPUT}"):
                near[what] = found
    worst = max(near, key=near.__getitem__)
    print(
        f"{subject.model.name}, {subject.model.weights}: worst {near[worst]:.2g}, {worst}; {refused} refused"
    )
    assert near[worst] <= 4 * TOLERANCES["bfloat16"], worst
    assert near[worst] > TOLERANCES["float32"], "it did not compute in bfloat16"
    if subject.model.name == "resnet50":
        assert refused == 0


@BFLOAT16
@pytest.mark.skipif(
    not (WEIGHTS / "resnet50.pth").is_file(), reason="no ../shared/weights/resnet50.pth beside the project"
)
@pytest.mark.skipif(len(PHOTOGRAPHS) < 20, reason="no photographs in ../shared/images beside the project")
@pytest.mark.parametrize("subject", ["resnet50"], indirect=True)
def test_in_bfloat16_photographs_are_classified_as_by_torch(subject: Subject) -> None:
    twenty = PHOTOGRAPHS[:: len(PHOTOGRAPHS) // 20][:20]
    pictures = np.stack([photograph(path, subject.model.recipe) for path in twenty])
    with torch.inference_mode():
        expected = subject.model.network(torch.from_numpy(pictures)).numpy().argmax(1)
    right = expected == [int(path.stem) for path in twenty]
    assert right.sum() >= 10  # the trained network: it knows four of five photographs, a random one none
    engine = subject.openvino("bfloat16", checked=True)
    for name in ("layer3", OUTPUT):
        point = subject.partition.point(name)
        classes = engine.tail(point)(engine.head(point)(pictures)).argmax(1)
        assert (classes == expected).mean() >= 0.95, name
    assert engine.failed_checks == 0
