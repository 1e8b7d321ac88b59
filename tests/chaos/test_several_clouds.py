"""An edge with three clouds: each is killed under load and comes back, and all get another bundle one after the other."""

from __future__ import annotations

import time
from collections import Counter
from itertools import groupby
from typing import TYPE_CHECKING

import pytest
from kits.bundles import tiny
from kits.chaos import check_waits, fallbacks, read_since, stop
from kits.three_clouds import give, running, wait_for_answers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kits.three_clouds import Three

FPS = 20
AWAY = {"unreachable", "late", "busy", "circuit_open"}


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Three]:
    with running(tmp_path_factory.mktemp("clouds")) as found:
        yield found


def test_each_cloud_is_killed_under_load_and_the_others_answer(three):
    run = three.edge(FPS)
    wait_for_answers(run, 3 * FPS, answered_by="cloud")
    killed, begun = [], time.time()  # the first frames may be late, as their tail is compiled
    for cloud, name in zip(three.clouds, three.names, strict=True):
        wait_for_answers(run, 5, cloud=name)
        cloud.kill()
        lost_at = time.time()
        wait_for_answers(run, 2 * FPS, answered_by="cloud")
        killed.append((name, lost_at, time.time()))
        cloud.start()
        cloud.wait_until_ready()
        wait_for_answers(run, 5, cloud=name)
    records = stop(run)
    rows = three.join(run)
    check_waits(records)
    assert {record["cloud"] for record in records} - {None} == {*three.names}
    for name, since, until in killed:
        away = read_since(records, since + 0.1, until)
        assert away
        assert name not in {record["cloud"] for record in away}, "a cloud that was dead has answered"
    later = read_since(records, begun)
    why = Counter(record["fallback"] for record in later if record["answered_by"] == "edge")
    print(
        f"{len(later)} frames, by the edge: {dict(why)}; {len(rows)} ledger lines, {len(records)} records"
    )  # pytest -rP
    assert sum(why.values()) <= 0.02 * len(later), why
    assert set(why) <= AWAY, why
    assert len(rows) <= 1.05 * len(records) + 20, "what was sent twice is little"


def test_a_rolling_update_of_the_bundles_loses_no_frame(three):
    old, new = (tiny(seed=seed).model.fingerprint.hex() for seed in (5, 6))
    run = three.edge(FPS)
    wait_for_answers(run, FPS, network=old)
    for folder in three.bundles:
        give(folder, seed=6)
        wait_for_answers(run, 5 * FPS)  # a cloud looks every two seconds
    wait_for_answers(run, FPS, network=new, answered_by="cloud")
    for name in three.names:
        wait_for_answers(run, 3, network=new, cloud=name)
    records = stop(run)
    three.join(run)
    check_waits(records)
    assert [network for network, _ in groupby(record["network"] for record in records)] == [old, new], "once"
    assert not [line for line in run.errors if "Traceback" in line or " ERROR " in line]
    by_edge = [record for record in records if record["answered_by"] == "edge"]
    print(f"{len(records)} frames, {len(by_edge)} by the edge: {fallbacks(records)}")  # pytest -rP
    assert len(by_edge) <= 0.02 * len(records), fallbacks(records)
