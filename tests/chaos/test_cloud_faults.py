"""The cloud dies, restarts, freezes or turns into another one while frames flow."""

from __future__ import annotations

import time

from kits.chaos import (
    DEADLINE_S,
    check_recovery,
    check_waits,
    done_between,
    fallbacks,
    paced,
    read_since,
    stop,
    wait_for_cloud,
    wait_for_edge,
)

KILLS = 5
AWAY = {"unreachable", "late", "busy", "circuit_open"}


def test_a_cloud_that_is_killed_five_times_loses_no_frame_and_is_found_again(chaos):
    run = chaos.edge(paced())
    wait_for_cloud(run)
    times = []
    for _ in range(KILLS):
        chaos.cloud.kill()
        lost_at = time.time()
        wait_for_edge(run)
        times.append((lost_at, time.time(), chaos.restart_cloud()))
        wait_for_cloud(run)
    records = stop(run)
    chaos.join(run)
    check_waits(records)
    for lost_at, started_at, back_at in times:
        check_recovery(run, lost_at, back_at)
        away = done_between(records, lost_at, started_at)
        assert {record["answered_by"] for record in away} == {"edge"}, "a cloud that was dead has answered"
    assert fallbacks(records) <= AWAY | {None}


def test_a_cloud_that_is_asked_to_stop_answers_what_it_has_taken(chaos):
    run = chaos.edge(paced())
    wait_for_cloud(run)
    assert chaos.cloud.stop() == 0
    lost_at = time.time()
    wait_for_edge(run)
    back_at = chaos.restart_cloud()
    wait_for_cloud(run)
    records = stop(run)
    lines = chaos.join(run)
    check_waits(records)
    check_recovery(run, lost_at, back_at)
    # It answered every frame that it had admitted.
    assert "late" not in fallbacks(records)
    assert not [line for line in lines if line["outcome"] == "abandoned"]


def test_a_cloud_that_freezes_costs_no_frame_more_than_its_deadline(chaos):
    run = chaos.edge(paced(), session="off")
    wait_for_cloud(run)
    chaos.cloud.pause()
    lost_at = time.time()
    try:
        time.sleep(3)
    finally:
        chaos.cloud.resume()
    back_at = time.time()
    wait_for_cloud(run)
    records = stop(run)
    chaos.join(run)
    check_waits(records)
    check_recovery(run, lost_at, back_at)
    frozen = read_since(records, lost_at + 0.1, back_at - DEADLINE_S - 0.5)
    assert frozen
    assert {record["answered_by"] for record in frozen} == {"edge"}
    assert {"late", "circuit_open"} <= fallbacks(records)


def test_a_cloud_with_other_weights_is_not_believed_and_named_once(chaos):
    run = chaos.edge(paced())
    wait_for_cloud(run)
    chaos.cloud.kill()
    wait_for_edge(run)
    lost_at = time.time()
    other_at = chaos.restart_cloud("--seed=7")
    wait_for_edge(run, 50)  # two seconds, several probes
    chaos.cloud.stop()
    started_at = time.time()
    back_at = chaos.restart_cloud()
    wait_for_cloud(run)
    records = stop(run)
    assert {record["answered_by"] for record in done_between(records, other_at, started_at)} == {"edge"}
    said = [line for line in run.errors if "give both the same --model and --weights" in line]
    assert len(said) == 1, f"said {len(said)} times\n{run.said()}"
    check_recovery(run, lost_at, back_at)
    chaos.join(run)
