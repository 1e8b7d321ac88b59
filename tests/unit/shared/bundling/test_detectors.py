"""Bundles of detectors: their task is recognised, and reads what the network answers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from kits import graphs
from kits.graphs import model, picture, save

from shared.bundling.bundler import make_reported
from shared.bundling.sources.file import from_file
from shared.engines.openvino.runtime import operations
from shared.errors import ModelError
from shared.network.choice import NetworkChoice
from shared.network.partition import OUTPUT
from shared.tasks.registry import make_task
from shared.tasks.spec import Wanted

if TYPE_CHECKING:
    from shared.engines.openvino.runtime import ov

_SHARED = Path(__file__).resolve().parents[5] / "shared"
_DETECTOR, _NAMES = _SHARED / "weights/fastestdet.onnx", _SHARED / "weights/fastestdet-labels.txt"
_CLIP = _SHARED / "videos/bottle-detection.mp4"
SIDE, CLASSES = 32, 3


def flattened(value: ov.Node, columns: int, name: str) -> ov.Node:
    """(B, columns, h, w) -> (B, h * w, columns)."""
    rows = operations.transpose(value, operations.constant([0, 2, 3, 1]))
    return operations.reshape(rows, operations.constant([0, -1, columns]), special_zero=True, name=name)


def ssd(name: str, tmp_path: Path, *, scores: Any = None) -> str:
    """A head of 64 anchors: differences, scores of 3 classes behind a background, and the anchors, which are constant."""
    given = picture((-1, 3, SIDE, SIDE))
    weights = graphs.constant(8, 3, 4, 4)
    stem = operations.convolution(given, weights, [4, 4], [0, 0], [0, 0], [1, 1], name="stem")
    features = operations.relu(stem)
    differences = flattened(graphs.convolution(features, 8, 4, "differences"), 4, "loc")
    values = flattened(graphs.convolution(features, 8, CLASSES + 1, "values"), CLASSES + 1, "conf")
    behind = operations.constant(np.array([9, 0, 0, 0], np.float32))
    end = operations.softmax(operations.add(values, behind), 2)
    end.set_friendly_name("scores")
    y, x = np.mgrid[:8, :8]
    priors = np.stack([(x + 0.5) / 8, (y + 0.5) / 8, np.full((8, 8), 0.25), np.full((8, 8), 0.25)], axis=-1)
    anchors = operations.constant(priors.reshape(1, 64, 4).astype(np.float32), name="priors")
    graph = model(given, differences, end if scores is None else scores, anchors)
    return str(
        save(graph, tmp_path / f"{name}.xml", {"confidence_threshold": "0.3", "labels": "cat dog hen"})
    )


def test_anchors_that_a_file_gives_are_part_of_the_task(tmp_path: Path) -> None:
    bundle, report = make_reported(NetworkChoice(ssd("ssd", tmp_path)), _folder(tmp_path), patience_s=1)
    options = dict(bundle.model.task.options)
    assert (bundle.model.task.name, options["form"], options["background"]) == ("detect", "anchored", 0)
    assert options["threshold"] == 0.3, "the file's own"
    assert bundle.model.outputs == ("loc", "scores")
    assert bundle.partition.point(OUTPUT).shapes == ((64, 4), (64, 4))
    assert bundle.model.labels == ("cat", "dog", "hen")
    assert [note for note in report.notes if "priors does not depend on the picture" in note]
    task = make_task(bundle.model, Wanted())
    differences, scores = np.zeros((64, 4), np.float32), np.zeros((64, 4), np.float32)
    scores[:, 0], scores[9] = 1, [0.1, 0, 0.9, 0]
    (box,) = task.answer((differences, scores)).fields()["boxes"]
    assert (box["label"], box["box"]) == ("dog", [2, 2, 10, 10]), "the anchor of row 1, column 1"


def _folder(tmp_path: Path) -> Path:
    folder = tmp_path / "bundle"
    folder.mkdir()
    return folder


def test_the_users_options_are_in_the_bundle(tmp_path: Path) -> None:
    choice = NetworkChoice(ssd("ssd", tmp_path), task="detect:threshold=0.7,variances=1:1:1:1")
    options = dict(make_reported(choice, _folder(tmp_path), patience_s=1)[0].model.task.options)
    assert (options["threshold"], options["variances"], options["form"]) == (0.7, "1:1:1:1", "anchored")


def test_a_task_that_does_not_fit_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    choice = NetworkChoice(ssd("ssd", tmp_path), task="detect:form=yolov8")
    folder = _folder(tmp_path)
    with pytest.raises(
        ModelError, match=r"the outputs loc \(64, 4\), scores \(64, 4\) do not fit the form yolov8"
    ):
        make_reported(choice, folder, patience_s=1)
    assert list(folder.iterdir()) == []


def test_a_file_whose_outputs_are_all_constant_is_refused(tmp_path: Path) -> None:
    given = picture()
    graph = model(given, operations.constant(np.ones((1, 4), np.float32)))
    with pytest.raises(ModelError, match="not computed"):
        from_file(NetworkChoice(str(save(graph, tmp_path / "constant.xml"))))


def test_onnxruntime_is_asked_for_the_outputs_that_are_left(tmp_path: Path) -> None:
    onnx: Any = pytest.importorskip("onnx", reason="onnx is not installed")
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    helper = onnx.helper
    values = [helper.make_tensor_value_info(name, 1, [1, 3, 8, 8]) for name in ("x", "y")]
    priors = helper.make_tensor_value_info("priors", 1, [1, 5, 4])
    constant = onnx.numpy_helper.from_array(np.ones((1, 5, 4), np.float32), "stored")
    nodes = [helper.make_node("Identity", ["stored"], ["priors"]), helper.make_node("Relu", ["x"], ["y"])]
    graph = helper.make_graph(nodes, "net", values[:1], [priors, values[1]], [constant])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(made, tmp_path / "net.onnx")
    source = from_file(NetworkChoice(str(tmp_path / "net.onnx")))
    assert source.outputs == ("y",)
    assert {name: value.shape for name, value in source.constants.items()} == {"priors": (5, 4)}
    assert source.reference
    pictures = np.random.default_rng(0).normal(size=(2, 3, 8, 8)).astype(np.float32)
    (found,) = source.reference.crossings((pictures,))[OUTPUT]
    np.testing.assert_array_equal(found.reshape(pictures.shape), np.maximum(pictures, 0))


@pytest.mark.slow
@pytest.mark.skipif(
    not (_DETECTOR.is_file() and _CLIP.is_file()), reason="needs ../shared/weights and videos"
)
def test_a_real_detector_sees_the_bottles_of_a_real_clip(tmp_path: Path) -> None:
    cv2 = pytest.importorskip("cv2")
    choice = NetworkChoice(str(_DETECTOR), labels=str(_NAMES), recipe="channels=BGR")
    bundle, _ = make_reported(choice, _folder(tmp_path), patience_s=1)
    assert dict(bundle.model.task.options) == {"form": "fastestdet"}
    task, recipe = make_task(bundle.model, Wanted()), bundle.model.recipe
    whole = from_file(choice).reference
    assert whole
    clip, bottles, frames = cv2.VideoCapture(str(_CLIP)), 0, 0
    while frames < 60:
        _, frame = clip.read()
        frames += 1
        tensor = recipe.normalise(np.ascontiguousarray(cv2.resize(frame, (352, 352))[:, :, ::-1]))
        (output,) = whole.crossings((tensor[None],))[OUTPUT]
        answer = task.answer((output.reshape(85, 22, 22),)).in_picture(recipe, frame.shape[:2])
        seen = [each for each in answer.fields()["boxes"] if each["label"] == "bottle"]
        bottles += len(seen)
        assert answer.fields()["size"] == [640, 360]
        assert all(80 < box["box"][1] < box["box"][3] < 345 for box in seen), "they stand on the table"
    assert 100 < bottles < 200, "two or three on each frame"
