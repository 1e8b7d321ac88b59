"""Small detectors of each kind, built from torchvision's classes on a backbone of our own, with weights that tell boxes apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from shared.torch_network.vision import torchvision

if TYPE_CHECKING:
    from collections.abc import Callable

SIDE = 64
CLASSES = 4
CHANNELS = 32  # FCOS wants a multiple
_models = torchvision.models.detection


class Backbone(torch.nn.Module):
    """Two maps, of an eighth and a sixteenth of the picture."""

    out_channels = CHANNELS

    def __init__(self) -> None:
        super().__init__()
        self.stem = torch.nn.Conv2d(3, CHANNELS, 3, stride=4, padding=1)
        self.fine = torch.nn.Conv2d(CHANNELS, CHANNELS, 3, stride=2, padding=1)
        self.coarse = torch.nn.Conv2d(CHANNELS, CHANNELS, 3, stride=2, padding=1)

    def forward(self, pictures: torch.Tensor) -> dict[str, torch.Tensor]:
        fine = self.fine(self.stem(pictures).relu())
        return {"fine": fine, "coarse": self.coarse(fine.relu())}


class OneMap(torch.nn.Module):
    """One map, by itself."""

    out_channels = CHANNELS

    def __init__(self) -> None:
        super().__init__()
        self.stem = torch.nn.Conv2d(3, CHANNELS, 3, stride=8, padding=1)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        return self.stem(pictures)


def _ssd() -> torch.nn.Module:
    anchors = _models.anchor_utils.DefaultBoxGenerator([[2], [2, 3]])
    backbone = Backbone()
    head = _models.ssd.SSDHead([CHANNELS, CHANNELS], anchors.num_anchors_per_location(), CLASSES)
    return _models.ssd.SSD(backbone, anchors, (SIDE, SIDE), CLASSES, head=head, score_thresh=0.1)  # type: ignore[no-any-return]


def _retinanet() -> torch.nn.Module:
    anchors = _models.anchor_utils.AnchorGenerator(((8, 12), (20, 28)), ((0.5, 1.0),) * 2)
    return _models.RetinaNet(  # type: ignore[no-any-return]
        Backbone(), CLASSES, min_size=SIDE, max_size=SIDE, anchor_generator=anchors, score_thresh=0.3
    )


def _fcos() -> torch.nn.Module:
    anchors = _models.anchor_utils.AnchorGenerator(((8,), (16,)), ((1.0,),) * 2)
    return _models.FCOS(Backbone(), CLASSES, min_size=SIDE, max_size=SIDE, anchor_generator=anchors)  # type: ignore[no-any-return]


def _faster_rcnn(backbone: Callable[[], torch.nn.Module] = Backbone) -> torch.nn.Module:
    maps = ["fine", "coarse"] if backbone is Backbone else ["0"]
    anchors = _models.anchor_utils.AnchorGenerator(
        ((8, 16), (24, 32))[: len(maps)], ((0.5, 1.0),) * len(maps)
    )
    pool = torchvision.ops.MultiScaleRoIAlign(maps, 3, 2)
    return _models.FasterRCNN(  # type: ignore[no-any-return]
        backbone(),
        min_size=SIDE,
        max_size=SIDE,
        rpn_anchor_generator=anchors,
        box_roi_pool=pool,
        box_head=_models.faster_rcnn.TwoMLPHead(CHANNELS * 9, 16),
        box_predictor=_models.faster_rcnn.FastRCNNPredictor(16, CLASSES),
        rpn_pre_nms_top_n_test=40,
        rpn_post_nms_top_n_test=30,
        box_score_thresh=0.1,
    )


KINDS: dict[str, Callable[[], torch.nn.Module]] = {
    "ssd": _ssd,
    "retinanet": _retinanet,
    "fcos": _fcos,
    "faster_rcnn": _faster_rcnn,
    "faster_rcnn of one map": lambda: _faster_rcnn(OneMap),
}


def detector(kind: str, seed: int = 0) -> torch.nn.Module:
    """In eval mode, without gradients."""
    torch.manual_seed(seed)
    made = KINDS[kind]().eval().requires_grad_(requires_grad=False)
    enliven(made)
    return made


_SIZES = {"bbox": 0.1, "regression_head.module_list": 0.3, "cls_logits": 0.1}
"""Last layers' weights, by a part of their name: boxes stay near their anchors, and scores below 1."""


def enliven(network: torch.nn.Module) -> None:
    """Weights of a size that neither lets values vanish nor explode, and no biases: every place gets scores of its own."""
    for name, parameter in network.named_parameters():
        if parameter.ndim >= 2:
            size = next((size for part, size in _SIZES.items() if part in name), 1.0)
            torch.nn.init.normal_(parameter, std=size * (2 / parameter[0].numel()) ** 0.5)
        elif name.endswith("bias"):
            parameter.zero_()


def pictures(count: int, side: int = SIDE) -> torch.Tensor:
    """(count, 3, side, side), normalised, each another."""
    return torch.randn(count, 3, side, side, generator=torch.Generator().manual_seed(7))
