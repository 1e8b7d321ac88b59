"""A real clip goes in at the edge, and every class that comes back is the unsplit network's."""

from __future__ import annotations

import pytest
from kits import common as kit

pytestmark = [
    pytest.mark.skipif(not kit.CLIP.is_file(), reason=f"no clip: {kit.CLIP.name} is not beside the project"),
    pytest.mark.timeout(600),
]

CLIP_FRAMES = 377


def check_complete(records: list[dict], count: int) -> None:
    assert [record["frame"] for record in records] == list(range(count))


def classes(records: list[dict]) -> list[int]:
    return [record["top"][0]["class_id"] for record in records]


def test_every_frame_of_a_clip_is_answered_by_the_cloud_as_the_unsplit_network_would(system, unsplit_top1):
    records = system.edge(source=system.clip, split_point="layer3", codec="float32").finish(300)
    check_complete(records, CLIP_FRAMES)
    assert {record["answered_by"] for record in records} == {"cloud"}
    assert classes(records) == unsplit_top1(CLIP_FRAMES)


@pytest.mark.parametrize(
    ("split_point", "codec"),
    [("input", "raw"), ("layer1", "float32+zstd"), ("layer4.0", "float32"), ("output", "")],
)
def test_wherever_it_is_cut_the_classes_are_the_same(system, unsplit_top1, split_point, codec):
    records = system.edge(source=system.clip, frames="24", split_point=split_point, codec=codec).finish()
    check_complete(records, 24)
    assert {record["answered_by"] for record in records} == {"edge" if split_point == "output" else "cloud"}
    assert classes(records) == unsplit_top1(24)


def test_in_the_precision_that_an_edge_chooses_itself_nearly_all_classes_are_the_same(system, unsplit_top1):
    """bfloat16, where its processor has it, moves a class that was nearly another one."""
    records = system.edge(source=system.clip, precision="auto", split_point="layer3", codec="float32").finish(
        300
    )
    check_complete(records, CLIP_FRAMES)
    same = [got == want for got, want in zip(classes(records), unsplit_top1(CLIP_FRAMES), strict=True)]
    assert sum(same) >= 0.95 * CLIP_FRAMES


def test_a_record_says_where_the_bytes_and_the_time_went(system):
    (record,) = system.edge(source=system.clip, frames="1", top="3").finish()
    assert record["split_point"] == "layer3"
    assert record["codec"] == "int8+zstd"
    assert 1_000 < record["payload_bytes"] < 200_704
    assert [len(record["top"]), record["fallback"]] == [3, None]
    assert record["top"][0].keys() == {"class_id", "label", "probability"}
    stages = record["stages_ms"]
    assert {
        "capture",
        "preprocess",
        "head",
        "encode",
        "send",
        "cloud.decode",
        "cloud.queue",
        "cloud.tail",
    } <= set(stages)
    assert stages["cloud.tail"] < stages["send"] < record["latency_ms"]


def test_the_cloud_is_killed_and_restarted_mid_file_and_nothing_is_lost(system, unsplit_top1):
    run = system.edge(source=system.clip, codec="float32", deadline_s="5")
    run.wait_for_records(20)
    system.kill_cloud()
    try:
        kit.wait_for(lambda: "edge" in run.answered_by(), "a frame answered by the edge")
    finally:
        system.start_cloud()
    kit.wait_for(lambda: run.answered_by()[-1] == "cloud", "frames answered by the cloud again")
    records = run.finish(300)
    check_complete(records, CLIP_FRAMES)
    assert {record["fallback"] for record in records if record["answered_by"] == "edge"} <= {
        "unreachable", "late", "circuit_open", "busy",
    }  # fmt: skip
    assert classes(records) == unsplit_top1(CLIP_FRAMES)


def test_without_any_cloud_the_edge_answers_everything_itself(system, unsplit_top1):
    records = system.edge(source=system.clip, frames="12", cloud_url="http://127.0.0.1:9").finish()
    check_complete(records, 12)
    assert {(record["answered_by"], record["fallback"]) for record in records} == {("edge", "circuit_open")}
    assert classes(records) == unsplit_top1(12)


def test_sigterm_lets_the_edge_finish_what_it_has_read(system):
    run = system.edge(source="synthetic:fps=5")
    run.wait_for_records(5)
    run.terminate()
    records = run.finish()
    check_complete(records, len(records))


def test_calibrated_frames_are_a_fraction_of_int8s_and_a_restarted_cloud_gets_the_profile_again(
    system, unsplit_top1
):
    """Without a profile of the user's own: the edge fits one to frames that it draws, and brings it to the cloud."""
    count = 120
    run = system.edge(source=system.clip, codec="calibrated", frames=str(count), deadline_s="5")
    run.wait_for_records(20)
    system.kill_cloud()
    system.start_cloud()
    records = run.finish(300)
    check_complete(records, count)
    answered = [record["answered_by"] for record in records]
    assert set(answered) <= {"cloud", "edge"}
    assert answered[-1] == "cloud"
    assert {record["fallback"] for record in records} <= {
        None,
        "unreachable",
        "circuit_open",
        "late",
        "refused",
    }
    sizes = [record["payload_bytes"] for record in records]
    assert sum(sizes) / len(sizes) < 25_000  # int8+zstd: 73,000
    same = [got == want for got, want in zip(classes(records), unsplit_top1(count), strict=True)]
    assert sum(same) > 0.5 * count
