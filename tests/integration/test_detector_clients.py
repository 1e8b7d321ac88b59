"""A detector's cloud as others than the edge meet it: curl, the package `splitdnn`; and an edge that watches a still scene."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
from kits import boxes as boxes_kit
from kits import colour_detector as detector_kit
from kits.detector_runs import Detector, detecting

import splitdnn

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def detector(tmp_path_factory) -> Iterator[Detector]:
    with detecting("colours", tmp_path_factory.mktemp("colours")) as found:
        yield found


@pytest.fixture(scope="module")
def network(detector) -> splitdnn.Network:
    return splitdnn.load_network(str(detector.bundle.folder), precision="float32", engine="openvino")


@pytest.fixture(scope="module")
def frames(detector) -> list[np.ndarray]:
    """BGR."""
    return list(boxes_kit.pictures(detector.source, 3))


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl on this machine")
def test_json_of_several_tensors_is_answered_with_every_output_row_by_row(
    detector, network, frames, tmp_path
):
    point = network.point(detector_kit.several(detector.bundle)[0])
    split = network.split(point, "float32")
    crossings = [split.head(detector.unsplit.tensor(frame)) for frame in frames]
    data = [np.concatenate(each).tolist() for each in zip(*crossings, strict=True)]
    assert len(data) == len(point.shapes) == 2
    body = tmp_path / "body.json"
    body.write_text(json.dumps({"data": data, "count": 3, "split_point": point.name}))
    command = ["curl", "--silent", "--show-error", "--data", f"@{body}", f"{detector.system.cloud_url}/model"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer.keys() == {"result", "count"}, answer
    assert answer["count"] == 3
    expected = np.concatenate([detector.unsplit.outputs(frame)[0] for frame in frames])
    np.testing.assert_allclose(np.array(answer["result"]), expected, rtol=1e-3, atol=1e-3)

    body.write_text(json.dumps({"data": data[0], "split_point": point.name}))
    refused = json.loads(
        subprocess.run(command, capture_output=True, text=True, timeout=60, check=False).stdout
    )
    assert refused["reason"] == "shape"
    assert "2 tensors cross" in refused["error"]


def test_the_package_cuts_it_where_several_tensors_cross_and_a_client_sends_them(detector, network, frames):
    split = network.split(detector_kit.several(detector.bundle)[0], "float32")

    async def asked() -> list[splitdnn.Answer]:
        async with splitdnn.Client(detector.system.cloud_url, codec="png") as client:
            assert (await client.model()).task == "detect"
            return [
                found
                for frame in frames
                for found in (
                    await client.send(split.to_frame(frame[:, :, ::-1])),
                    await client.infer(frame[:, :, ::-1]),
                )
            ]

    answers = asyncio.run(asked())
    for number, frame in enumerate(frames):
        expected = detector.unsplit.boxes(frame)
        own = split.answer_frame(split.to_frame(frame[:, :, ::-1]))
        for answer in (own, *answers[2 * number : 2 * number + 2]):
            found = answer.in_picture(network.recipe, frame.shape[:2]).fields()["boxes"]
            assert found
            assert boxes_kit.unlike(expected, found, detector.unsplit.threshold) == []


def test_of_a_still_scene_the_boxes_are_repeated(detector, frames, tmp_path):
    """Three scenes of four pictures each, of which only the first is sent."""
    for number in range(12):
        cv2.imwrite(str(tmp_path / f"{number:02d}.png"), frames[number // 4])
    several = detector_kit.several(detector.bundle)[0]
    records = detector.records(
        12, source=str(tmp_path), split_point=several, codec="int8", still_threshold="0.001"
    )
    assert [record["answered_by"] for record in records] == 3 * ["cloud", "still", "still", "still"]
    for record in records:
        first = records[record["frame"] // 4 * 4]
        assert record["boxes"] == first["boxes"] != []
        assert record["repeats"] == (None if record is first else first["frame"])
