"""Workers of one cloud are killed, and freeze, while frames flow: no frame is lost, and most are still answered by the others."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from kits import chaos as chaos_kit
from kits import common as kit
from kits.chaos import check_waits, fallbacks, paced, stop, wait_for_cloud

if TYPE_CHECKING:
    from collections.abc import Iterator

KILLS = 4
FPS = 10
AWAY = {"unreachable", "late", "busy", "circuit_open"}


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[chaos_kit.Chaos]:
    with chaos_kit.running(tmp_path_factory.mktemp("workers"), workers=2) as found:
        yield found


def workers(chaos) -> list[int]:
    """The ids of the processes that take frames or will."""
    pid = chaos.cloud.pid
    return [
        int(each)
        for task in Path(f"/proc/{pid}/task").iterdir()
        for each in (task / "children").read_text().split()
        if "cloud.workers.worker" in Path(f"/proc/{each}/cmdline").read_text()
    ]


def deaths(chaos) -> float:
    """How many were killed so far."""
    return chaos.cloud.metrics().value("splitdnn_cloud_worker_deaths_total", why="killed")


def both_serve(chaos) -> None:
    """Wait until two workers take frames."""

    def so() -> bool:
        return chaos.cloud.metrics().value("splitdnn_cloud_workers", which="ready") == 2

    kit.wait_for(so, "two workers that take frames", 120)


def test_killed_workers_cost_no_frame(chaos):
    run = chaos.edge(paced(fps=FPS))
    chance = random.Random(3)
    wait_for_cloud(run)
    before = deaths(chaos)
    for _ in range(KILLS):
        both_serve(chaos)
        wait_for_cloud(run, 3)
        os.kill(chance.choice(workers(chaos)), signal.SIGKILL)
        wait_for_cloud(run, FPS)
    records = stop(run)
    chaos.join(run)
    check_waits(records)
    assert fallbacks(records) <= AWAY | {None}
    by_edge = [record["frame"] for record in records if record["answered_by"] == "edge"]
    assert len(by_edge) < len(records) / 4, "the other worker has answered little"
    assert deaths(chaos) == before + KILLS


def test_a_frozen_worker_costs_no_frame(chaos):
    both_serve(chaos)
    run = chaos.edge(paced(fps=FPS))
    wait_for_cloud(run)
    frozen = workers(chaos)[0]
    os.kill(frozen, signal.SIGSTOP)
    try:
        time.sleep(2)
    finally:
        os.kill(frozen, signal.SIGCONT)
    wait_for_cloud(run)
    records = stop(run)
    chaos.join(run)
    check_waits(records)
    assert fallbacks(records) <= AWAY | {None}
