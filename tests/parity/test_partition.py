"""Split points by name, networks that write in place or keep a value aside, and a trained ResNet-50 on photographs."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from kits.parity import PHOTOGRAPHS, TOLERANCE, WEIGHTS, assert_parity, network_of, photograph, tail_of

from shared.errors import SplitPointError
from shared.limits import MAX_DIMENSION
from shared.network.partition import INPUT, OUTPUT
from shared.torch_network.partition import TorchPartition

REAL_WEIGHTS = WEIGHTS / "resnet50.pth"
FOUR = PHOTOGRAPHS[5::80][:4]

# --- names ------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def resnet50() -> TorchPartition:
    return TorchPartition(network_of("resnet50").module, (3, 64, 64))


def test_an_inner_point_carries_the_path_of_its_operation(resnet50: TorchPartition) -> None:
    points = resnet50.points
    assert points["layer2.1.add"].shape == points["layer2.1"].shape == (512, 8, 8)
    assert points["layer2.1.add"].head_macs == points["layer2.1"].head_macs > points["layer2.0"].head_macs


def test_the_default_of_a_resnet50_is_layer3(resnet50: TorchPartition) -> None:
    assert resnet50.default().name == "layer3"


def test_a_point_is_found_by_its_name(resnet50: TorchPartition) -> None:
    assert resnet50.point("layer2").name == "layer2"
    assert all(resnet50.point(name) is point for name, point in resnet50.points.items())


def test_an_unknown_point_is_refused_with_the_nearest_names_and_all_that_there_are(
    resnet50: TorchPartition,
) -> None:
    with pytest.raises(
        SplitPointError, match="unknown split point 'layer33'; did you mean layer3"
    ) as refusal:
        resnet50.point("layer33")
    assert refusal.value.accepted == list(resnet50.points)


def test_a_point_that_no_frame_can_hold_is_not_offered() -> None:
    assert MAX_DIMENSION < 3 * 160 * 160
    network = torch.nn.Sequential(
        torch.nn.Flatten(), torch.nn.Linear(3 * 160 * 160, 4), torch.nn.Linear(4, 2)
    ).eval()
    assert list(TorchPartition(network, (3, 160, 160)).points) == [INPUT, "1", OUTPUT]


# --- what networks do that a cut must bear ----------------------------------------------------------------------------


class InPlace(torch.nn.Module):
    """Writes into what it is given, in each of the ways that classifiers do."""

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
    """Keeps a value beside the main path, so that there is no cut in between, and uses its parameters as values."""

    def __init__(self) -> None:
        super().__init__()
        self.table = torch.nn.Parameter(torch.ones(1, 3, 1, 1))
        self.first = torch.nn.Conv2d(3, 3, 1)
        self.second = torch.nn.Conv2d(3, 3, 1)
        self.last = torch.nn.Linear(3, 2)

    def forward(self, tensor: torch.Tensor) -> torch.Tensor:
        table = (
            self.table * 2
        )  # depends on no picture, so it crosses nowhere: the half that needs it computes it
        start = self.first(tensor)
        middle = self.second(start)
        joined = middle + start
        shifted = joined + table
        return self.last(shifted.mean(dim=(2, 3)))


@pytest.mark.parametrize("kind", [InPlace, Skipping])
def test_a_users_own_network_agrees_at_every_split_point(kind: type[torch.nn.Module]) -> None:
    torch.manual_seed(0)
    network = kind().eval().requires_grad_(requires_grad=False)
    pictures = torch.randn(2, 3, 4, 4)
    expected = network(pictures.clone())
    partition = TorchPartition(network, (3, 4, 4))
    assert_parity(partition, pictures, expected, partition.points.values())


def test_there_is_no_cut_where_two_values_cross() -> None:
    assert list(TorchPartition(Skipping().eval(), (3, 4, 4)).points) == [
        INPUT,
        "first",
        "add",
        "add_1",
        "mean",
        OUTPUT,
    ]


# --- with real weights and photographs --------------------------------------------------------------------------------


@pytest.mark.skipif(not REAL_WEIGHTS.is_file(), reason="no ../shared/weights/resnet50.pth beside the project")
@pytest.mark.skipif(len(FOUR) < 4, reason="no photographs in ../shared/images beside the project")
def test_a_trained_resnet50_agrees_on_photographs_at_every_stage_end() -> None:
    model = network_of("resnet50", str(REAL_WEIGHTS))
    partition = TorchPartition(model.module, model.recipe.tensor_shape)
    pictures = torch.from_numpy(np.stack([photograph(path, model.recipe) for path in FOUR]))
    with torch.no_grad():
        expected = model.module(pictures)
    right = expected.argmax(1) == torch.tensor([int(path.stem) for path in FOUR])
    assert right.sum() >= 2  # the trained network: it knows four of five photographs, a random one none
    stages = ("maxpool", "layer1", "layer2", "layer3", "layer4", "avgpool")
    for stage in (INPUT, *stages, OUTPUT):
        point = partition.point(stage)
        with torch.no_grad():
            (logits,) = tail_of(partition, point)(*partition.head(point)(pictures))
        assert (logits - expected).abs().max() <= TOLERANCE, stage
        assert torch.equal(logits.argmax(1), expected.argmax(1)), stage
