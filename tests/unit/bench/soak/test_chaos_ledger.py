"""The join that the fault tests and the soak stand on can fail: each way in which a frame may be lost is seen, and named."""

from __future__ import annotations

import json

import pytest

from bench.soak.ledger import account, faults_of, lines_of, read_rows, session_of, sessions, strangers

SESSION = 0xABCD1234
FRAMES = 6


def frame_id(number, session=SESSION):
    return f"{session << 32 | number:016x}"


def record(number, answered_by="cloud", **changes):
    fields = {
        "frame": number,
        "frame_id": frame_id(number),
        "answered_by": answered_by,
        "fallback": None,
        "top": [{"class_id": 7}],
    }
    return fields | changes


def line(number, outcome="answered", **changes):
    return {"frame_id": frame_id(number), "outcome": outcome, "reason": None} | changes


@pytest.fixture
def records():
    """Two answered by the edge, one of them too late, one a still scene's."""
    by = ["cloud", "edge", "cloud", "edge", "still", "cloud"]
    return [record(number, each) for number, each in enumerate(by)]


@pytest.fixture
def ledger():
    return [line(0), line(2), line(1, "abandoned"), line(5), {"frame_id": None, "outcome": "refused"}]


def test_a_run_in_which_all_is_well_has_no_fault(records, ledger):
    assert faults_of(records, ledger, frames_in=FRAMES) == []
    found = account(records, frames_in=FRAMES)
    assert found == {
        "frames in": FRAMES, "cloud": 3, "edge": 2, "still": 1, "dropped": 0, "nobody": 0, "difference": 0,
    }  # fmt: skip


def test_a_frame_that_the_edge_answered_may_be_in_the_ledger_or_not(records, ledger):
    assert faults_of(records, [*ledger, line(3)], frames_in=FRAMES) == []


def first_fault(records, ledger, **counts):
    faults = faults_of(records, ledger, **({"frames_in": FRAMES} | counts))
    assert faults, "nothing was found"
    return faults[0]


def test_a_frame_without_a_record_is_named(records, ledger):
    del records[3]
    assert "first of them frame 3;" in first_fault(records, ledger)
    records.append(record(FRAMES))
    assert "first of them frame 3;" in first_fault(records, [*ledger, line(FRAMES)], frames_in=FRAMES + 1)


def test_the_last_frames_are_missed_as_well(records, ledger):
    assert "first of them frame 5;" in first_fault(records[:-1], ledger[:3])


@pytest.mark.parametrize("order", [[0, 1, 2, 2, 3, 4, 5], [0, 2, 1, 3, 4, 5]], ids=["twice", "out of order"])
def test_a_frame_in_the_wrong_place_is_named(records, ledger, order):
    faults = faults_of([records[number] for number in order], ledger, frames_in=FRAMES)
    assert any("comes after frame 2" in fault for fault in faults), faults


def test_a_frame_of_nobody_and_one_without_an_answer_are_named(records, ledger):
    records[1] |= {"answered_by": "nobody", "fallback": "late"}
    assert first_fault(records, ledger) == "frame 1 was answered by nobody (fallback late)"
    records[1] |= {"answered_by": "edge", "top": []}
    assert first_fault(records, ledger) == "frame 1 was answered by edge without any answer"


def test_a_picture_without_boxes_is_answered_and_a_detector_that_failed_is_not(records, ledger):
    for each in records:
        del each["top"]
        each |= {"boxes": [], "size": [160, 120], "more": 0}
    assert faults_of(records, ledger, frames_in=FRAMES) == []
    records[2] |= {"size": None}
    assert first_fault(records, ledger) == "frame 2 was answered by cloud without any answer"


@pytest.mark.parametrize(
    ("there", "said"),
    [([], "nothing"), ([line(2, "abandoned")], "only abandoned"), ([line(2, "refused")], "only refused")],
)
def test_an_answer_that_the_cloud_knows_nothing_of_is_named(records, ledger, there, said):
    ledger = [each for each in ledger if each["frame_id"] != frame_id(2)] + there
    assert first_fault(records, ledger) == (
        f"frame 2 ({frame_id(2)}) was answered by the cloud, but its ledger says {said} of it"
    )


def test_a_frame_may_be_answered_twice_by_the_cloud_but_not_more_often(records, ledger):
    ledger = [*ledger, line(0)]
    assert faults_of(records, ledger, frames_in=FRAMES) == []
    assert first_fault(records, [*ledger, line(0)]) == f"frame 0 ({frame_id(0)}) was answered 3 times"


def test_a_line_that_belongs_to_no_frame_is_named(records, ledger):
    stray = frame_id(77)
    assert first_fault(records, [*ledger, line(77)]) == (
        f"the ledger has a line of frame id {stray}, which no record names"
    )
    assert "without an id" in first_fault(records, [*ledger, line(0, frame_id=None)])
    assert "'lost'" in first_fault(records, [*ledger, line(0, "lost")])


def test_ids_that_repeat_or_count_something_else_are_named(records, ledger):
    records[2]["frame_id"] = frame_id(0)
    assert "frame 2 has the frame id" in first_fault(records, ledger[:1])
    records[2]["frame_id"] = frame_id(9)
    assert "ends in another number" in first_fault(records, ledger)
    records[2]["frame_id"] = frame_id(2, session=1)
    assert "several runs" in " ".join(faults_of(records, ledger, frames_in=FRAMES))


def test_frames_that_were_dropped_leave_as_many_gaps(records, ledger):
    del records[3], records[3]
    assert faults_of(records, ledger, frames_in=FRAMES, dropped=2) == []
    assert "frame 3; 1 were dropped" in first_fault(records, ledger, dropped=1)
    assert "2 frames have no record" in first_fault(records, ledger, dropped=3)
    assert faults_of(records, ledger, frames_in=FRAMES + 1, dropped=3) == []  # the last one


def test_more_records_than_frames_are_a_fault(records, ledger):
    assert "only 5 frames were read" in first_fault(records, ledger, frames_in=5)


def test_a_difference_is_said():
    faults = faults_of([record(0, "cloud")], [line(0)], frames_in=3, dropped=1)
    assert "3 frames in, and 1 of them are neither answered nor dropped" in faults


def test_lines_of_several_edges_are_told_apart(records, ledger):
    other = line(0, frame_id=frame_id(0, session=5))
    assert lines_of([*ledger, other], records) == ledger[:-1]
    assert sessions(records) == {SESSION}
    assert session_of(other["frame_id"]) == 5
    assert strangers([*ledger, other], {SESSION, 5}) == []
    assert strangers([*ledger, other], {SESSION}) == [
        f"the ledger has a line of frame id {other['frame_id']}, which no edge has sent"
    ]


def test_a_line_that_is_not_complete_is_left_out(tmp_path):
    path = tmp_path / "ledger.jsonl"
    assert read_rows(path) == []
    path.write_text(json.dumps(line(0)) + "\n\n" + json.dumps(line(1)) + '\n{"frame_id": "00')
    assert read_rows(path) == [line(0), line(1)]
