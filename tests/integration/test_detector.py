"""A detector through edge and cloud: on every frame the boxes of the unsplit network, wherever it is cut and whoever answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from kits import boxes as boxes_kit
from kits import colour_detector as detector_kit
from kits.detector_runs import Detector, detecting

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

CASES = ("colours in processes", "fastestdet in processes", "fastestdet in Compose")
NOWHERE = "http://127.0.0.1:9"


@pytest.fixture(scope="module", params=CASES)
def detector(request, tmp_path_factory) -> Iterator[Detector]:
    name, _, place = request.param.split()
    with detecting(name, tmp_path_factory.mktemp(name), compose=place == "Compose") as found:
        yield found


def test_something_is_seen_and_it_changes(detector):
    """Else the other tests would compare nothing."""
    sure = [[box for box in each if box["score"] > detector.unsplit.threshold] for each in detector.expected]
    counts = {len(each) for each in sure}
    assert max(counts) >= 2
    assert len(counts) >= 2


def test_where_one_tensor_crosses_every_frame_has_the_boxes_of_the_unsplit_network(detector):
    point = detector.bundle.partition.default()
    assert len(point.shapes) == 1
    records = detector.records(split_point=point.name, codec="float32")
    detector.check(records, "cloud")
    assert {record["split_point"] for record in records} == {point.name}


def test_where_several_tensors_cross_it_has_them_too(detector):
    several = detector_kit.several(detector.bundle)
    assert several, "no split point of several tensors"
    for name in {several[0], several[-1]}:
        size = detector.bundle.partition.point(name).float32_bytes
        for codec, most in (("float32", size), ("float32+zstd", 1.1 * size)):
            records = detector.records(split_point=name, codec=codec)
            detector.check(records, "cloud")
            assert {record["split_point"] for record in records} == {name}
            assert 0 < max(record["payload_bytes"] for record in records) <= most, (name, codec)


def test_without_a_cloud_the_edge_sees_the_same(detector):
    several = detector_kit.several(detector.bundle)[0]
    records = detector.records(split_point=several, codec="float32", cloud_url=NOWHERE)
    detector.check(records, "edge")
    assert {record["fallback"] for record in records} == {"circuit_open"}


def test_pictures_that_travel_losslessly_give_the_same_boxes(detector):
    for size in ("network", "source"):
        records = detector.records(split_point="input", codec="png", picture_size=size)
        detector.check(records, "cloud")


def test_a_higher_threshold_leaves_out_what_is_less_certain(detector):
    """`--threshold` is for the edge's own answers and for those that it asks for."""
    high = 0.7
    expected = [[box for box in each if box["score"] > high - boxes_kit.NEAR] for each in detector.expected]
    assert expected != detector.expected
    for settings in ({}, {"cloud_url": NOWHERE}):
        records = detector.records(codec="float32", threshold=str(high), **settings)
        assert boxes_kit.differences(records, expected, high) == [], settings
        assert any(record["boxes"] for record in records)


def test_whatever_split_point_the_planner_chooses_the_boxes_are_the_same(detector):
    """With a codec that loses nothing; it has all kinds of split points to choose from."""
    records = detector.records(split_point="auto", codec="float32", objective="throughput")
    assert boxes_kit.differences(records, detector.expected, detector.unsplit.threshold) == []
