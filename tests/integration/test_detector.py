"""A detector through edge and cloud: on every frame the boxes of the unsplit network, wherever it is cut and whoever answers."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from kits import boxes as boxes_kit
from kits import detector as detector_kit
from kits.common import DATA
from kits.deployments import ComposeDeployment, LocalDeployment, docker_answers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from kits.deployments import Deployment

    from shared.network.bundle import Bundle

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

FILES = ("weights/fastestdet.onnx", "weights/fastestdet-labels.txt", "videos/bottle-detection.mp4")
MISSING = [name for name in FILES if not (DATA / name).is_file()]
FRAMES = 60
CASES = ("colours in processes", "fastestdet in processes", "fastestdet in Compose")


@dataclass(frozen=True)
class Detector:
    """A detector that runs, and what it must see."""

    bundle: Bundle
    system: Deployment
    source: str
    expected: list[list[boxes_kit.Box]]
    threshold: float

    def records(self, **settings: str) -> list[dict]:
        """Of an edge that has read the first frames of the source, which must all be there."""
        run = self.system.edge(source=self.source, frames=str(FRAMES), **settings)
        records = run.finish(300)
        assert [record["frame"] for record in records] == list(range(FRAMES))
        return records

    def check(self, records: list[dict], *answered_by: str) -> None:
        assert {record["answered_by"] for record in records} == set(answered_by)
        assert boxes_kit.differences(records, self.expected, self.threshold) == []


@pytest.fixture(scope="module", params=CASES)
def detector(request, tmp_path_factory) -> Iterator[Detector]:
    name, _, place = request.param.split()
    if name == "fastestdet" and MISSING:
        pytest.skip(f"not beside the project: {', '.join(MISSING)}")
    if place == "Compose" and not docker_answers():
        pytest.skip("no Docker engine answers")
    files = tmp_path_factory.mktemp(name)
    network, labels, source, recipe = (colours if name == "colours" else fastestdet)(files)
    bundle = detector_kit.make_bundle(
        network, labels, files / "bundle", *(["--recipe", recipe] if recipe else [])
    )
    unsplit = boxes_kit.Unsplit(network, bundle)
    expected = unsplit.boxes_of(source, FRAMES)
    settings = {"model": str(bundle.folder), "precision": "float32"}
    if place == "Compose":  # where the service `bundle` makes it anew
        settings |= {"model": str(network), "labels": str(labels), "recipe": recipe}
    system = ComposeDeployment(files, **settings) if place == "Compose" else LocalDeployment(**settings)
    try:
        yield Detector(bundle, system, source, expected, unsplit.threshold)
    finally:
        system.close()


def colours(files: Path) -> tuple[Path, Path, str, str]:
    """The network, its labels, a source, and what its recipe must be told."""
    return *detector_kit.write_detector(files), "synthetic:fps=0,width=160,height=120", ""


def fastestdet(files: Path) -> tuple[Path, Path, str, str]:
    """Copied, as containers see one folder."""
    network, labels, clip = (shutil.copy(DATA / name, files) for name in FILES)
    return network, labels, str(clip), "channels=BGR"


def test_something_is_seen_and_it_changes(detector):
    """Else the other tests would compare nothing."""
    sure = [[box for box in each if box["score"] > detector.threshold] for each in detector.expected]
    counts = {len(each) for each in sure}
    assert max(counts) >= 2
    assert len(counts) >= 2


def test_where_one_tensor_crosses_every_frame_has_the_boxes_of_the_unsplit_network(detector):
    point = detector.bundle.partition.default().name
    assert len(detector.bundle.partition.point(point).shapes) == 1
    records = detector.records(split_point=point, codec="float32")
    detector.check(records, "cloud")
    assert {record["split_point"] for record in records} == {point}


def test_where_several_tensors_cross_it_has_them_too(detector):
    several = detector_kit.several(detector.bundle)
    assert several, "no split point of several tensors"
    for name in (several[0], several[-1]):
        detector.check(detector.records(split_point=name, codec="float32"), "cloud")
        point = detector.bundle.partition.point(name)
        records = detector.records(split_point=name, codec="float32+zstd")
        detector.check(records, "cloud")
        assert {record["split_point"] for record in records} == {name}
        assert max(record["payload_bytes"] for record in records) <= 1.1 * point.float32_bytes, name


def test_without_a_cloud_the_edge_sees_the_same(detector):
    several = detector_kit.several(detector.bundle)[0]
    records = detector.records(split_point=several, codec="float32", cloud_url="http://127.0.0.1:9")
    detector.check(records, "edge")
    assert {record["fallback"] for record in records} == {"circuit_open"}


def test_pictures_that_travel_losslessly_give_the_same_boxes(detector):
    for size in ("network", "source"):
        records = detector.records(split_point="input", codec="png", picture_size=size)
        detector.check(records, "cloud")


def test_a_higher_threshold_leaves_out_what_is_less_certain(detector):
    """`--threshold` is for the edge's answers and for those that it gets."""
    high = 0.7
    expected = [[box for box in each if box["score"] > high - boxes_kit.NEAR] for each in detector.expected]
    for url in (detector.system.cloud_url, "http://127.0.0.1:9"):
        settings = {} if url == detector.system.cloud_url else {"cloud_url": url}
        records = detector.records(codec="float32", threshold=str(high), **settings)
        assert boxes_kit.differences(records, expected, high) == [], url
        assert any(record["boxes"] for record in records)
