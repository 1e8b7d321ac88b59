"""Each promise of a fleet can be broken: a doctored record, ledger or life is seen, and by the promise that is meant."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench.harness.pauses import Pauses
from bench.soak.fleet.clouds import Life
from bench.soak.fleet.edge import FrameRecord
from bench.soak.fleet.outcome import Outcome, Played
from bench.soak.fleet.promises import judge

EDGES, FRAMES = 10, 60
START, END = 100.0, 160.0
CLOUDS = 3


def frame_id(edge, number):
    return (1000 + edge) << 32 | number


def record(edge, number):
    due = START - 10 + (END - START + 10) * (number * EDGES + edge) / (EDGES * FRAMES)
    return FrameRecord(
        edge, number, frame_id(edge, number), due, due + 0.02 + 0.0001 * edge, "cloud", 7, 7, sends=1
    )


@pytest.fixture
def outcome():
    """Six hundred frames, spread evenly over three clouds, each of which was killed once."""
    records = [record(edge, number) for number in range(FRAMES) for edge in range(EDGES)]
    answered = [{} for _ in range(CLOUDS)]
    for place, each in enumerate(records):
        answered[place % CLOUDS][each.frame_id] = [each.done]
    clouds = [
        Played(
            f"cloud {place}",
            [Life(0.0, START + 10 * place + 5), Life(START + 10 * place + 7)],
            answered[place],
        )
        for place in range(CLOUDS)
    ]
    made = {1000 + edge: FRAMES for edge in range(EDGES)}
    return Outcome(
        made,
        records,
        clouds,
        START,
        END,
        deadline_s=1.0,
        offered_per_s=30,
        capacity_per_s=100,
        kills_due=4,
        cuts=3,
    )


def broken(outcome):
    return {each.name for each in judge(outcome) if not each.kept}


def with_record(outcome, place, **changes):
    records = list(outcome.records)
    records[place] = replace(records[place], **changes)
    return replace(outcome, records=records)


def test_a_run_in_which_all_is_well_breaks_no_promise(outcome):
    assert broken(outcome) == set()


def test_a_lost_a_doubled_and_an_invented_record_are_told_apart(outcome):
    records = list(outcome.records)
    stranger = replace(records[5], frame_id=frame_id(0, FRAMES))
    cases = {
        "frames without a record": records[1:],
        "frames recorded twice": [*records, records[0]],
        "records of frames that were never made": [*records, stranger],
    }
    for name, doctored in cases.items():
        assert name in broken(replace(outcome, records=doctored)), name
    assert broken(replace(outcome, records=cases["frames without a record"])) == {"frames without a record"}
    assert broken(replace(outcome, records=cases["frames recorded twice"])) == {"frames recorded twice"}


def test_a_ledger_that_lacks_an_answer_or_has_one_too_many_frames_is_seen(outcome):
    first = outcome.clouds[0]
    less = dict(first.answered)
    less.popitem()
    more = dict(first.answered) | {frame_id(3, FRAMES + 1): [END - 1]}
    cases = {
        "answers of a cloud that no ledger knows": less,
        "ledgers' answers to frames that were never made": more,
    }
    for name, answered in cases.items():
        clouds = [replace(first, answered=answered), *outcome.clouds[1:]]
        assert broken(replace(outcome, clouds=clouds)) == {name}


def test_a_frame_that_two_clouds_have_computed_is_no_fault_and_is_counted(outcome):
    twice = outcome.records[0].frame_id  # of the first cloud
    second = outcome.clouds[1]
    answered = dict(second.answered) | {twice: [outcome.records[0].done]}
    doctored = replace(
        outcome, clouds=[outcome.clouds[0], replace(second, answered=answered), outcome.clouds[2]]
    )
    assert broken(doctored) == set()
    assert doctored.computed[twice] == 2


def test_a_wrong_answer_and_a_refusal_are_seen(outcome):
    assert broken(with_record(outcome, 30, class_id=8)) == {"wrong answers"}
    for reason in ("refused", "profile"):
        doctored = with_record(outcome, 30, answered_by="edge", fallback=reason)
        assert broken(doctored) == {"frames refused by a cloud"}, reason
    for reason in ("late", "busy", "unreachable"):
        assert broken(with_record(outcome, 30, answered_by="edge", fallback=reason)) == set(), reason


def test_a_fleet_whose_edges_answer_by_themselves_does_not_pass(outcome):
    records = [
        replace(each, answered_by="edge", fallback="unreachable") if each.frame % 4 == 0 else each
        for each in outcome.records
    ]
    assert broken(replace(outcome, records=records)) == {"share answered by clouds"}


def test_an_answer_after_its_deadline_is_seen_also_of_a_frame_that_was_under_way_at_a_kill(outcome):
    late = "frames answered after their deadline"
    calm = with_record(outcome, 0, done=outcome.records[0].due + 1.01)
    assert broken(calm) == {late}
    kill = START + 5
    place = max(place for place, each in enumerate(outcome.records) if each.due <= kill)
    hit = with_record(outcome, place, done=outcome.records[place].due + 1.01)
    assert broken(hit) == {late, "under way at a kill, answered in time"}


def test_a_frame_is_not_late_by_what_its_own_process_stood_still(outcome):
    due = outcome.records[330].due
    late = with_record(outcome, 330, done=due + 3)
    for seconds, expected in ((2.5, set()), (1.5, {"frames answered after their deadline"})):
        pauses = Pauses([(due + 0.1, due + 0.1 + seconds)])
        assert broken(replace(late, pauses=pauses)) == expected, seconds


def test_one_frame_in_fifty_that_is_four_times_as_slow_breaks_the_promise_of_p99(outcome):
    records = [
        replace(each, done=each.due + 0.1) if place % 50 == 0 else each
        for place, each in enumerate(outcome.records)
    ]
    assert broken(replace(outcome, records=records)) == {"p99 over median"}


def test_more_than_half_the_load_that_was_promised_is_seen(outcome):
    assert broken(replace(outcome, offered_per_s=51)) == {"load over what all clouds but one can do"}


def test_a_cloud_that_gets_too_little_while_it_lives_is_seen_and_one_that_lived_less_is_not(outcome):
    name = "frames/s alive, the busiest cloud over the idlest"
    first, second, third = outcome.clouds
    moved = [each for place, each in enumerate(first.answered) if place % 5 == 0]
    less = {each: times for each, times in first.answered.items() if each not in moved}
    more = second.answered | {each: first.answered[each] for each in moved}
    clouds = [replace(first, answered=less), replace(second, answered=more), third]
    assert broken(replace(outcome, clouds=clouds)) == {name}
    halves = [moved[::2], moved[1::2]]
    others = [
        replace(each, answered=each.answered | {moved: first.answered[moved] for moved in half})
        for each, half in zip((second, third), halves, strict=True)
    ]
    shorter = replace(clouds[0], lives=[Life(0.0, START + 5), Life(START + 18)])
    assert broken(replace(outcome, clouds=[shorter, *others])) == set()
    dead = replace(outcome, clouds=[replace(first, lives=[Life(0.0, START - 1)]), second, third])
    assert name in broken(dead)


def test_a_run_without_kills_or_cuts_promises_nothing(outcome):
    calm = [replace(each, lives=[Life(0.0)]) for each in outcome.clouds]
    without = replace(outcome, clouds=calm)
    assert broken(without) == {"clouds killed"}
    assert not next(each for each in judge(without) if each.name == "clouds killed").is_of_speed
    assert broken(replace(outcome, cuts=0)) == {"links cut"}


def test_what_is_wrong_with_real_edges_is_a_broken_promise(outcome):
    doctored = replace(outcome, real_faults=["edge 1: frame 3 has no record"], real_records=9)
    assert broken(doctored) == {"faults in 9 records of real edges"}
    assert broken(replace(doctored, real_faults=[])) == set()
    (found,) = [each.found for each in judge(doctored) if not each.kept]
    assert "frame 3" in found


def test_only_promises_that_depend_on_other_work_may_be_broken_on_a_busy_machine(outcome):
    assert {each.name for each in judge(outcome) if each.is_of_speed} == {
        "clouds killed",
        "share answered by clouds",
        "p99 over median",
        "frames/s alive, the busiest cloud over the idlest",
    }
