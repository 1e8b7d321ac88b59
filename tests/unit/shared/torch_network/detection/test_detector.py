"""Detectors of every kind as networks that end before the last selection of boxes: what they then select is what they did."""

from __future__ import annotations

import pytest
import torch
from kits.detectors import CLASSES, KINDS, SIDE, detector, pictures

from shared.errors import ModelError
from shared.network.recipe import Recipe
from shared.torch_network.detection.detector import as_network, is_detector, recipe_of
from shared.torch_network.detection.own_answers import _AsItIs, settle
from shared.torch_network.partition import TorchPartition
from shared.torch_network.vision import get_model, torchvision

SHAPE = (3, SIDE, SIDE)


def network_of(made: torch.nn.Module, kind: str) -> tuple[torch.nn.Module, dict[str, object]]:
    network = as_network(made, recipe_of(made, kind), kind)
    return network, dict(settle(made, network, SHAPE, kind).options)


def selected(
    made: torch.nn.Module, outputs: dict[str, torch.Tensor], background: object
) -> set[tuple[float, ...]]:
    """What torchvision's own selection leaves of the outputs for one picture."""
    own = getattr(made, "roi_heads", made)
    first = 0 if background is None else 1
    boxes, scores = (outputs[name][0] for name in ("boxes", "scores"))
    rows, classes = (scores[:, first:] > own.score_thresh).nonzero(as_tuple=True)
    classes = classes + first
    places = boxes[rows] if boxes.ndim == 2 else boxes[rows, classes]
    kept = torchvision.ops.batched_nms(places, scores[rows, classes], classes, own.nms_thresh)
    return rounded(places[kept], scores[rows, classes][kept], classes[kept])


def rounded(boxes: torch.Tensor, scores: torch.Tensor, labels: torch.Tensor) -> set[tuple[float, ...]]:
    rows = zip(boxes.tolist(), scores.tolist(), labels.tolist(), strict=True)
    return {(*(round(side, 2) for side in box), round(score, 4), label) for box, score, label in rows}


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_selected_of_boxes_and_scores_is_what_the_detector_answers(kind: str) -> None:
    made = detector(kind)
    network, options = network_of(made, kind)
    assert options["form"] == "scores"
    assert (options.get("background") == 0) == (kind == "ssd" or "faster" in kind)
    made.transform = _AsItIs()
    own = getattr(made, "roi_heads", made)
    own.detections_per_img = own.topk_candidates = 10_000
    total = 0
    for picture in pictures(3):
        (answer,) = made([picture])
        expected = rounded(answer["boxes"], answer["scores"], answer["labels"])
        assert selected(made, network(picture[None]), options.get("background")) == expected
        total += len(expected)
    assert total > 20, "too few to tell"


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_cut_inside_its_backbone_and_takes_any_number_of_pictures(kind: str) -> None:
    network, _ = network_of(detector(kind), kind)
    partition = TorchPartition(network, SHAPE)
    assert partition.outputs == ("boxes", "scores")
    assert partition.notes == ()
    assert any(name.startswith("backbone") for name in partition.points)
    batch = pictures(3)
    expected = network(batch)
    for point in list(partition.points.values())[1:-1]:
        found = partition.tail(point)(*partition.head(point)(batch))
        for name, value in zip(("boxes", "scores"), found, strict=True):
            torch.testing.assert_close(value, expected[name], msg=f"{name} at {point.name}")
    alone = torch.cat([network(picture[None])["scores"] for picture in batch])
    torch.testing.assert_close(alone, expected["scores"])


def test_a_proposal_that_is_missing_is_no_box() -> None:
    made = detector("faster_rcnn")
    made.rpn.nms_thresh = 0.1  # leaves fewer than the network looks at again
    network, _ = network_of(made, "faster_rcnn")
    scores = network(pictures(1))["scores"][0]
    missing = (scores == -1).all(1)
    assert 0 < missing.sum() < len(scores)
    assert ((scores[~missing] >= 0) | (scores[~missing] == -1)).all()


def test_the_parameters_keep_their_names_and_nothing_else_is_a_parameter() -> None:
    for kind in KINDS:
        made = detector(kind)
        network, _ = network_of(made, kind)
        assert list(network.state_dict()) == list(made.state_dict()), kind


def test_a_detector_is_told_by_its_parts() -> None:
    assert all(is_detector(detector(kind)) for kind in KINDS)
    assert not is_detector(torch.nn.Sequential())
    assert not is_detector(torchvision.models.segmentation.lraspp_mobilenet_v3_large(weights_backbone=None))


def test_the_recipe_is_that_of_the_detectors_own_transform() -> None:
    made = detector("ssd")
    made.transform.fixed_size = (80, SIDE)
    made.transform.image_mean = [0.1, 0.2, 0.3]
    assert recipe_of(made, "x") == Recipe(80, SIDE, (0.1, 0.2, 0.3), (0.229, 0.224, 0.225), fit="stretch")
    made = detector("retinanet")
    made.transform.min_size = (32, 70)
    recipe = recipe_of(made, "x")
    assert (recipe.width, recipe.height, recipe.fit, recipe.pad) == (96, 96, "letterbox", 114)
    made.transform.image_mean = [0.5]
    with pytest.raises(ModelError, match=r"^x: its transform asks for a recipe that makes no sense: "):
        recipe_of(made, "x")


def test_a_detector_that_reads_its_head_in_another_way_is_refused() -> None:
    made = detector("retinanet")
    own = made.postprocess_detections
    made.postprocess_detections = lambda *given: [
        each | {"scores": each["scores"] * 0.5} for each in own(*given)
    ]
    with pytest.raises(ModelError, match=r"^mine: its own code makes other boxes or scores"):
        settle(made, as_network(made, recipe_of(made, "mine"), "mine"), SHAPE, "mine")


def test_what_cannot_be_read_is_refused_in_one_line() -> None:
    made = detector("faster_rcnn")
    made.roi_heads.box_roi_pool = torch.nn.Identity()
    with pytest.raises(
        ModelError, match=r"^mine: its boxes are pooled by Identity; accepted: MultiScaleRoIAlign"
    ):
        as_network(made, recipe_of(made, "mine"), "mine")
    made = detector("ssd")
    made.head = torch.nn.Conv2d(3, 3, 1)
    with pytest.raises(ModelError, match=r"^mine is not built as torchvision's detectors are") as refusal:
        as_network(made, recipe_of(made, "mine"), "mine")
    assert "\n" not in str(refusal.value)


def test_settling_leaves_the_detector_as_it_was() -> None:
    made = detector("faster_rcnn")
    before = (made.transform, made.backbone, made.roi_heads.score_thresh)
    network_of(made, "faster_rcnn")
    assert (made.transform, made.backbone, made.roi_heads.score_thresh) == before


@pytest.mark.slow
def test_the_boxes_of_a_network_that_also_finds_keypoints_are_read() -> None:
    torch.manual_seed(0)
    made = get_model("keypointrcnn_resnet50_fpn", weights=None, weights_backbone=None)
    made.eval().requires_grad_(requires_grad=False)
    recipe = Recipe(96, 96, (0.5,) * 3, (0.5,) * 3)
    network = as_network(made, recipe, "keypoints")
    settle(made, network, recipe.tensor_shape, "keypoints")
    outputs = network(pictures(1, 96))
    assert outputs["boxes"].shape[2:] == (2, 4)
    assert made.roi_heads.keypoint_roi_pool is not None
    assert CLASSES != network.classes == 2
