"""What a detector's backbone gives for pictures of one size: found out without computing anything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch.func import functional_call

from shared.torch_network.vision import torchvision

if TYPE_CHECKING:
    from collections.abc import Iterator


def without_values(module: torch.nn.Module, *given: Any) -> Any:
    """What `module` returns, with shapes but without values; so may be what it is given, and its parameters."""
    state = {name: value.to("meta") for name, value in _tensors(module)}
    with torch.no_grad():
        return functional_call(module, state, given)


def _tensors(module: torch.nn.Module) -> Iterator[tuple[str, torch.Tensor]]:
    yield from module.named_parameters(remove_duplicate=False)
    yield from module.named_buffers(remove_duplicate=False)


@dataclass(frozen=True, eq=False)
class Features:
    """The maps that a backbone gives for one picture, without values."""

    maps: Mapping[str, torch.Tensor]
    """By name, each (1, C, H, W), on the `meta` device."""
    is_one: bool
    """Whether the backbone returns the only one by itself."""

    def named(self, returned: Any) -> dict[str, Any]:
        """What the backbone returned, by name."""
        if self.is_one and not isinstance(returned, Mapping):
            return {next(iter(self.maps)): returned}
        return {name: returned[name] for name in self.maps}

    def anchors(self, generator: torch.nn.Module, shape: tuple[int, ...]) -> torch.Tensor:
        """(A, 4): the generator's anchors for pictures of this `shape`, (3, H, W): x0, y0, x1, y1 in pixels."""
        picture = torch.zeros(1).expand(1, *shape)
        maps = [torch.zeros(1).expand(each.shape) for each in self.maps.values()]
        images = torchvision.models.detection.image_list.ImageList(picture, [shape[1:]])
        anchors: torch.Tensor
        with torch.no_grad():
            (anchors,) = generator(images, maps)
        return anchors.float().contiguous()


def features_of(backbone: torch.nn.Module, shape: tuple[int, ...]) -> Features:
    """Those of `backbone` for pictures of `shape`, (3, H, W)."""
    returned = without_values(backbone, torch.empty(1, *shape, device="meta"))
    is_one = isinstance(returned, torch.Tensor)
    return Features({"0": returned} if is_one else dict(returned), is_one)
