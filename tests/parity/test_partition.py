"""head∘tail equals the whole network: the oracle of the suite, at every split point or at many of every family.

Freshly initialised networks would make poor witnesses: some answer 1e-14 or nothing but zeros, so that any tail would
agree. `lively` gives them weights under which the activations keep their size and the answer is of size one and
depends on the picture; two tests below watch over that.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from kits.parity import PHOTOGRAPHS, WEIGHTS, photograph

from shared import limits
from shared.codecs import NAMES, encode_frame
from shared.errors import SplitPointError
from shared.network.graph import trace
from shared.network.model import Model, load_model
from shared.network.partition import INPUT, OUTPUT, Partition, SplitPoint, _sole_crossings
from shared.network.vision import get_model_weights
from shared.wire import frame as wire

if TYPE_CHECKING:
    from collections.abc import Iterator

REAL_WEIGHTS = WEIGHTS / "resnet50.pth"
FOUR = PHOTOGRAPHS[5::80][:4]

TOLERANCE = 1e-5
RESNETS = ("resnet18", "resnet34", "resnet50", "resnet101")
OTHERS = (
    "vgg16", "mobilenet_v2", "mobilenet_v3_large", "efficientnet_b0", "densenet121", "googlenet", "inception_v3",
    "convnext_tiny", "vit_b_16", "swin_t",
)  # fmt: skip
STAGE_ENDS = ("maxpool", "layer1", "layer2", "layer3", "layer4", "avgpool")
SMALL_PICTURE = (3, 64, 64)
SPREAD = 8


@dataclass(frozen=True)
class Subject:
    """A network, two pictures, and what the whole network says of them."""

    name: str
    network: torch.nn.Module
    partition: Partition
    pictures: torch.Tensor
    logits: torch.Tensor


def lively(network: torch.nn.Module, pictures: torch.Tensor) -> None:
    """Give `network` weights with which its values neither vanish nor explode and every picture gets its own answer."""
    torch.manual_seed(0)
    for parameter_name, parameter in network.named_parameters():
        if parameter.ndim >= 2 and "layer_scale" not in parameter_name:
            torch.nn.init.normal_(parameter, std=(2 / parameter[0].numel()) ** 0.5)
        elif "layer_scale" in parameter_name:
            torch.nn.init.constant_(parameter, 0.5)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.reset_running_stats()
            module.momentum = None  # the mean of what it sees
            module.train()
    network(pictures)
    network.eval()
    last = list(network.parameters())[-2]  # the classifier's matrix; what follows is its bias
    last /= network(pictures).std()


def build(name: str, picture_shape: tuple[int, ...] | None) -> Subject:
    model = load_model(name, "random")
    shape = picture_shape or model.recipe.tensor_shape
    pictures = torch.randn(2, *shape, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        lively(model.network, pictures)
        logits = model.network(pictures)
    return Subject(name, model.network, Partition(model.network, shape), pictures, logits)


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    """Threads that wait for each other on a busy machine make this file many times slower."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module", params=RESNETS)
def small(request: pytest.FixtureRequest) -> Subject:
    """Each ResNet, with small pictures, so that every point can be tried."""
    return build(request.param, SMALL_PICTURE)


@pytest.fixture(scope="module", params=RESNETS + OTHERS)
def chosen(request: pytest.FixtureRequest) -> Subject:
    """Each network at its own picture size; all tests of one run before the next is built."""
    return build(request.param, None)


def check(chosen: Subject, points: list[SplitPoint]) -> None:
    """Parity at these points: shapes as declared, arguments left as they were, the logits those of the whole."""
    partition, pictures = chosen.partition, chosen.pictures
    untouched = pictures.clone()
    for point in points:
        head, tail = partition.head(point), partition.tail(point)
        with torch.no_grad():
            crossing = head(pictures)
            assert torch.equal(pictures, untouched), f"the head of {point.name} wrote into its input"
            assert crossing.shape == (2, *point.shape), point.name
            assert crossing.dtype == torch.float32, point.name
            assert not torch.equal(*crossing), f"at {point.name} the two pictures look alike"
            sent = crossing.clone()
            logits = tail(crossing)
        assert torch.equal(crossing, sent), f"the tail of {point.name} wrote into its input"
        assert torch.equal(pictures, untouched), f"the tail of {point.name} wrote into the picture"
        difference = (logits - chosen.logits).abs().max().item()
        assert difference <= TOLERANCE, f"{point.name}: off by {difference:g}"


def spread(partition: Partition) -> list[SplitPoint]:
    """Points from one end to the other, both ends and the default among them."""
    points = list(partition.points.values())
    places = np.linspace(0, len(points) - 1, SPREAD + 2).round().astype(int)
    chosen = [points[place] for place in places]
    assert len(set(chosen)) == SPREAD + 2
    return [*chosen, partition.default()]


# --- parity -----------------------------------------------------------------------------------------------------------


def test_a_resnet_agrees_at_every_split_point(small: Subject) -> None:
    points = list(small.partition.points.values())
    assert len(points) >= 20
    check(small, points)


def test_the_answers_are_of_size_one_and_differ_by_picture(chosen: Subject) -> None:
    logits = chosen.logits
    assert 0.5 < logits.std() < 2
    assert (logits[0] - logits[1]).abs().max() > 0.01


def test_it_agrees_at_points_from_end_to_end(chosen: Subject) -> None:
    if chosen.name in RESNETS:
        check(chosen, [chosen.partition.point(stage) for stage in (INPUT, *STAGE_ENDS, OUTPUT)])
    else:
        check(chosen, spread(chosen.partition))


def test_the_halves_share_the_networks_parameters(chosen: Subject) -> None:
    own = {
        tensor.data_ptr() for tensor in itertools.chain(chosen.network.parameters(), chosen.network.buffers())
    }
    point = chosen.partition.default()
    for part in (chosen.partition.head(point), chosen.partition.tail(point)):
        pointers = {tensor.data_ptr() for tensor in itertools.chain(part.parameters(), part.buffers())}
        assert pointers
        assert pointers <= own


def test_the_work_is_what_torchvision_states(chosen: Subject) -> None:
    partition = chosen.partition
    stated = next(iter(get_model_weights(chosen.name))).meta["_ops"] * 1e9
    assert partition.points[OUTPUT].head_macs == pytest.approx(stated, rel=0.01)


def test_work_is_done_before_the_cut_or_after_it(chosen: Subject) -> None:
    points = list(chosen.partition.points.values())
    total = points[-1].head_macs
    assert all(point.head_macs + point.tail_macs == total for point in points)
    assert [point.head_macs for point in points] == sorted(point.head_macs for point in points)
    assert (points[0].head_macs, points[-1].tail_macs) == (0, 0)


def test_the_ends_are_the_picture_and_the_logits(chosen: Subject) -> None:
    points = list(chosen.partition.points.values())
    assert (points[0].name, points[0].shape) == (INPUT, chosen.pictures.shape[1:])
    assert (points[-1].name, points[-1].shape) == (OUTPUT, (1000,))


def test_no_two_points_share_a_name(chosen: Subject) -> None:
    graph, paths = trace(chosen.network)
    names = [paths[node] for node in _sole_crossings(graph)]
    assert len(set(names)) == len(names)
    assert not {INPUT, OUTPUT} & set(names[1:-1])


def test_every_point_fits_the_wire(chosen: Subject) -> None:
    for point in chosen.partition.points.values():
        blank = np.broadcast_to(np.float32(0), point.shape)
        frame = encode_frame(blank, NAMES["int8"], split_point=point.name, fingerprint=bytes(8), frame_id=1)
        assert 1 <= len(point.name.encode()) <= limits.MAX_SPLIT_POINT_BYTES
        assert wire.unpack(wire.pack(frame)).split_point == point.name
        assert point.float32_bytes == 4 * point.elements == 4 * blank.size


def test_no_earlier_inner_point_is_clearly_smaller_than_the_default(chosen: Subject) -> None:
    partition = chosen.partition
    point = partition.default()
    assert point.name not in (INPUT, OUTPUT)
    assert point.head_macs <= 0.85 * (point.head_macs + point.tail_macs)
    smaller = [
        other
        for other in partition.points.values()
        if other.name not in (INPUT, OUTPUT)
        and other.head_macs <= point.head_macs
        and 1.1 * other.elements < point.elements
    ]
    assert smaller == []


# --- names ------------------------------------------------------------------------------------------------------------


def test_a_resnet_has_its_stage_ends_by_their_names_and_shapes(small: Subject) -> None:
    points = small.partition.points
    assert [stage for stage in points if stage in STAGE_ENDS] == list(STAGE_ENDS)
    width = 4 if small.name in ("resnet50", "resnet101") else 1
    assert [points[stage].shape for stage in STAGE_ENDS] == [
        (64, 16, 16),
        (64 * width, 16, 16),
        (128 * width, 8, 8),
        (256 * width, 4, 4),
        (512 * width, 2, 2),
        (512 * width, 1, 1),
    ]


@pytest.fixture(scope="module")
def resnet50() -> Partition:
    return Partition(load_model("resnet50", "random").network, SMALL_PICTURE)


def test_an_inner_point_carries_the_path_of_its_operation(resnet50: Partition) -> None:
    points = resnet50.points
    assert points["layer2.1.add"].shape == points["layer2.1"].shape == (512, 8, 8)
    assert points["layer2.1.add"].head_macs == points["layer2.1"].head_macs > points["layer2.0"].head_macs


def test_the_default_of_a_resnet50_is_layer3(resnet50: Partition) -> None:
    assert resnet50.default().name == "layer3"


def test_a_point_is_found_by_its_name(resnet50: Partition) -> None:
    assert resnet50.point("layer2").name == "layer2"
    assert all(resnet50.point(name) is point for name, point in resnet50.points.items())


def test_an_unknown_point_is_refused_with_the_nearest_names_and_all_that_there_are(
    resnet50: Partition,
) -> None:
    with pytest.raises(
        SplitPointError, match="unknown split point 'layer33'; did you mean layer3"
    ) as refusal:
        resnet50.point("layer33")
    assert refusal.value.accepted == list(resnet50.points)


def test_a_point_that_no_frame_can_hold_is_not_offered() -> None:
    assert limits.MAX_DIMENSION < 3 * 160 * 160
    network = torch.nn.Sequential(
        torch.nn.Flatten(), torch.nn.Linear(3 * 160 * 160, 4), torch.nn.Linear(4, 2)
    ).eval()
    assert list(Partition(network, (3, 160, 160)).points) == [INPUT, "1", OUTPUT]


# --- what a network may do that a cut must bear -----------------------------------------------------------------------


class InPlace(torch.nn.Module):
    """Writes into what it is given, in each of the ways that classifiers have."""

    def __init__(self) -> None:
        super().__init__()
        self.first = torch.nn.Conv2d(3, 3, 1)
        self.relu = torch.nn.ReLU(inplace=True)
        self.last = torch.nn.Linear(3, 2)

    def forward(self, tensor: torch.Tensor) -> torch.Tensor:
        tensor = self.relu(tensor)
        tensor = torch.nn.functional.relu6(self.first(tensor) + 1, inplace=True)
        tensor += 1
        tensor = self.relu(self.first(tensor) + 2)
        return self.last(tensor.mean(dim=(2, 3)))


class Skipping(torch.nn.Module):
    """Keeps a value beside the main path, so that there is no cut between, and uses its parameters as values."""

    def __init__(self) -> None:
        super().__init__()
        self.table = torch.nn.Parameter(torch.ones(1, 3, 1, 1))
        self.first = torch.nn.Conv2d(3, 3, 1)
        self.second = torch.nn.Conv2d(3, 3, 1)
        self.last = torch.nn.Linear(3, 2)

    def forward(self, tensor: torch.Tensor) -> torch.Tensor:
        table = self.table * 2  # of no picture, so it crosses nowhere: whichever half needs it has it
        start = self.first(tensor)
        middle = self.second(start)
        joined = middle + start
        shifted = joined + table
        return self.last(shifted.mean(dim=(2, 3)))


@pytest.mark.parametrize("kind", [InPlace, Skipping])
def test_a_network_of_ones_own_agrees_at_every_split_point(kind: type[torch.nn.Module]) -> None:
    torch.manual_seed(0)
    network = kind().eval().requires_grad_(requires_grad=False)
    pictures = torch.randn(2, 3, 4, 4)
    expected = network(pictures.clone())
    partition = Partition(network, (3, 4, 4))
    check(Subject(kind.__name__, network, partition, pictures, expected), list(partition.points.values()))


def test_there_is_no_cut_where_two_values_cross() -> None:
    assert list(Partition(Skipping().eval(), (3, 4, 4)).points) == [
        INPUT,
        "first",
        "add",
        "add_1",
        "mean",
        OUTPUT,
    ]


# --- with real weights and photographs --------------------------------------------------------------------------------


def real_model() -> Model:
    return load_model("resnet50", str(REAL_WEIGHTS))


@pytest.mark.skipif(not REAL_WEIGHTS.is_file(), reason="no ../shared/weights/resnet50.pth beside the project")
@pytest.mark.skipif(len(FOUR) < 4, reason="no photographs in ../shared/images beside the project")
def test_a_trained_resnet50_agrees_on_photographs_at_every_stage_end() -> None:
    model = real_model()
    partition = Partition(model.network, model.recipe.tensor_shape)
    pictures = torch.from_numpy(np.stack([photograph(path, model.recipe) for path in FOUR]))
    with torch.no_grad():
        expected = model.network(pictures)
    right = expected.argmax(1) == torch.tensor([int(path.stem) for path in FOUR])
    assert right.sum() >= 2  # the trained network: it knows four of five photographs, a random one none
    for stage in (INPUT, *STAGE_ENDS, OUTPUT):
        point = partition.point(stage)
        with torch.no_grad():
            logits = partition.tail(point)(partition.head(point)(pictures))
        assert (logits - expected).abs().max() <= TOLERANCE, stage
        assert torch.equal(logits.argmax(1), expected.argmax(1)), stage
