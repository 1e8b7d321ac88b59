"""A detector whose cloud dies and comes back: every frame once, with its own boxes, whoever answered."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from kits import boxes as boxes_kit
from kits import chaos as chaos_kit
from kits import colour_detector as detector_kit

import splitdnn
from edge.sources.synthetic import Synthetic

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from shared.network.bundle import Bundle

KILLS = 2
STILL = "0.1"
"""With the synthetic camera some scenes are still for some frames then, and others never."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    found: Path = tmp_path_factory.mktemp("detector")
    return found


@pytest.fixture(scope="module")
def network(folder) -> Path:
    return detector_kit.write_detector(folder)[0]


@pytest.fixture(scope="module")
def bundle(folder, network) -> Bundle:
    return detector_kit.make_bundle(network, folder / "colours.txt", folder / "bundle")


@pytest.fixture(scope="module")
def point(bundle) -> str:
    """Where several tensors cross."""
    return detector_kit.several(bundle)[0]


@pytest.fixture(scope="module")
def system(folder, bundle, point) -> Iterator[chaos_kit.Chaos]:
    with chaos_kit.running(
        folder, {"model": str(bundle.folder), "split_point": point}, guarded=True
    ) as found:
        yield found


def test_a_detector_has_each_frames_own_boxes_whoever_answers(system, bundle, network, point):
    system.ensure_up()
    camera = chaos_kit.paced()
    run = system.edge(camera, codec="int8", still_threshold=STILL)
    try:
        chaos_kit.wait_for_cloud(run)
        for _ in range(KILLS):
            system.cloud.kill()
            chaos_kit.wait_for_edge(run)
            system.restart_cloud()
            chaos_kit.wait_for_cloud(run)
        chaos_kit.wait_for_still(run)  # not every scene is: how many have passed by now is a matter of speed
        records = chaos_kit.stop(run)
        system.join(run)
    finally:
        system.end_edges()
    assert {record["answered_by"] for record in records} == {"cloud", "edge", "still"}
    unsplit = boxes_kit.Unsplit(network, bundle)
    split = splitdnn.load_network(
        str(bundle.folder), precision="float32", engine="openvino", threads=1
    ).split(point, "int8")
    frames, seen, wrong = Synthetic(camera), 0, []
    for number, record in enumerate(records):
        assert record["frame"] == number
        picture = frames.draw(number)
        match record["answered_by"]:
            case "edge":
                expected = unsplit.boxes(picture)
            case "cloud":  # what it was sent has lost a little
                answer = split.answer_frame(split.to_frame(picture[:, :, ::-1]))
                expected = answer.in_picture(split.recipe, picture.shape[:2]).fields()["boxes"]
            case _:
                expected = records[record["repeats"]]["boxes"]
                assert record["boxes"] == expected
        faults = boxes_kit.unlike(expected, record["boxes"], unsplit.threshold)
        wrong += [f"frame {number}, answered by {record['answered_by']}: {fault}" for fault in faults]
        seen += len(record["boxes"])
    assert wrong == []
    assert seen > len(records)
