"""head∘tail equals the whole network, for fourteen architectures, at every split point or at many.

Freshly initialised networks would prove little: some answer 1e-14 or nothing but zeros, so that any tail would agree.
`lively` gives them weights with which activations keep their size and every picture gets its own answer of size one, which
is checked first.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from kits.parity import assert_parity, network_of, spread

from shared.codecs import NAMES, encode_frame
from shared.limits import MAX_SPLIT_POINT_BYTES
from shared.network.partition import INPUT, OUTPUT
from shared.torch_network.partition import TorchPartition
from shared.torch_network.vision import get_model, get_model_weights
from shared.wire import frame as wire

if TYPE_CHECKING:
    from collections.abc import Iterator

RESNETS = ("resnet18", "resnet34", "resnet50", "resnet101")
OTHERS = (
    "vgg16", "mobilenet_v2", "mobilenet_v3_large", "efficientnet_b0", "densenet121", "googlenet", "inception_v3",
    "convnext_tiny", "vit_b_16", "swin_t",
)  # fmt: skip
STAGE_ENDS = ("maxpool", "layer1", "layer2", "layer3", "layer4", "avgpool")
SMALL = {"inception_v3": 96}
"""Side of the small pictures that most points are tried with, if it is not 64, which is too small for this network."""
SPREAD = 10


@dataclass(frozen=True)
class Subject:
    """A network, two pictures, and the whole network's answers."""

    name: str
    network: torch.nn.Module
    partition: TorchPartition
    pictures: torch.Tensor
    logits: torch.Tensor

    def check(self) -> None:
        """All that holds at the network's own picture size. Assertions name the network by the test's id."""
        answers_of_size_one_that_differ_by_picture(self)
        parity_at_the_default(self)
        halves_share_the_networks_parameters(self)
        work_is_what_torchvision_states(self)
        work_is_before_the_cut_or_after_it(self)
        ends_are_the_picture_and_the_logits(self)
        every_point_fits_the_wire(self)
        no_earlier_inner_point_is_clearly_smaller_than_the_default(self)


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


def for_side(vit: torch.nn.Module, side: int) -> torch.nn.Module:
    """The same vision transformer, with the same parameters, for pictures of another side."""
    with torch.device("meta"):
        network = get_model("vit_b_16", weights=None, image_size=side)
    parameters = vit.state_dict()
    positions = "encoder.pos_embedding"
    parameters[positions] = parameters[positions][:, : network.state_dict()[positions].shape[1]]
    network.load_state_dict(parameters, assign=True)
    return network.eval().requires_grad_(requires_grad=False)


def subject_of(name: str, network: torch.nn.Module, shape: tuple[int, ...]) -> Subject:
    """With two random pictures of this shape."""
    pictures = torch.randn(2, *shape, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        return Subject(name, network, TorchPartition(network, shape), pictures, network(pictures))


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    """Threads that wait for each other on a busy machine make this file many times slower."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("name", RESNETS + OTHERS)
def test_an_architecture_is_cut_right(name: str) -> None:
    """All checks of a network in one test, so that it is built once."""
    built = network_of(name)
    shape = built.recipe.tensor_shape
    with torch.no_grad():
        lively(built.module, torch.randn(2, *shape, generator=torch.Generator().manual_seed(1)))
    own = subject_of(name, built.module, shape)
    own.check()
    side = SMALL.get(name, 64)
    network = for_side(built.module, side) if name.startswith("vit") else built.module
    small = subject_of(name, network, (3, side, side))
    answers_of_size_one_that_differ_by_picture(small)
    if name in RESNETS:
        assert len(small.partition.points) >= 20
        assert_parity(small.partition, small.pictures, small.logits, small.partition.points.values())
        stage_ends_have_their_names_and_shapes(small)
    else:
        points = spread(small.partition, SPREAD)
        assert_parity(small.partition, small.pictures, small.logits, points)


def answers_of_size_one_that_differ_by_picture(subject: Subject) -> None:
    logits = subject.logits
    assert 0.5 < logits.std() < 2
    assert (logits[0] - logits[1]).abs().max() > 0.01


def parity_at_the_default(subject: Subject) -> None:
    assert_parity(subject.partition, subject.pictures, subject.logits, [subject.partition.default()])


def halves_share_the_networks_parameters(subject: Subject) -> None:
    own = {
        tensor.data_ptr()
        for tensor in itertools.chain(subject.network.parameters(), subject.network.buffers())
    }
    point = subject.partition.default()
    for half in (subject.partition.head(point), subject.partition.tail(point)):
        pointers = {tensor.data_ptr() for tensor in itertools.chain(half.parameters(), half.buffers())}
        assert pointers
        assert pointers <= own


def work_is_what_torchvision_states(subject: Subject) -> None:
    stated = next(iter(get_model_weights(subject.name))).meta["_ops"] * 1e9
    assert subject.partition.points[OUTPUT].head_macs == pytest.approx(stated, rel=0.01)


def work_is_before_the_cut_or_after_it(subject: Subject) -> None:
    points = list(subject.partition.points.values())
    total = points[-1].head_macs
    assert all(point.head_macs + point.tail_macs == total for point in points)
    assert [point.head_macs for point in points] == sorted(point.head_macs for point in points)
    assert (points[0].head_macs, points[-1].tail_macs) == (0, 0)


def ends_are_the_picture_and_the_logits(subject: Subject) -> None:
    points = list(subject.partition.points.values())
    assert (points[0].name, points[0].shape) == (INPUT, subject.pictures.shape[1:])
    assert (points[-1].name, points[-1].shape) == (OUTPUT, (1000,))


def every_point_fits_the_wire(subject: Subject) -> None:
    for point in subject.partition.points.values():
        blank = np.broadcast_to(np.float32(0), point.shape)
        frame = encode_frame([blank], NAMES["int8"], split_point=point.name, fingerprint=bytes(8), frame_id=1)
        assert 1 <= len(point.name.encode()) <= MAX_SPLIT_POINT_BYTES
        assert wire.unpack(wire.pack(frame)).split_point == point.name
        assert point.float32_bytes == 4 * point.elements == 4 * blank.size


def no_earlier_inner_point_is_clearly_smaller_than_the_default(subject: Subject) -> None:
    partition = subject.partition
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


def stage_ends_have_their_names_and_shapes(subject: Subject) -> None:
    points = subject.partition.points
    assert [stage for stage in points if stage in STAGE_ENDS] == list(STAGE_ENDS)
    width = 4 if subject.name in ("resnet50", "resnet101") else 1
    assert [points[stage].shape for stage in STAGE_ENDS] == [
        (64, 16, 16),
        (64 * width, 16, 16),
        (128 * width, 8, 8),
        (256 * width, 4, 4),
        (512 * width, 2, 2),
        (512 * width, 1, 1),
    ]
