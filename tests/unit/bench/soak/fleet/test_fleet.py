"""What a fleet is told, how its frames are spread, and how lives and ledgers are counted."""

from __future__ import annotations

import asyncio
import itertools
from datetime import UTC, datetime

import pytest

from bench.emulator.proxy import Emulator
from bench.soak.fleet.clouds import Life, alive_s
from bench.soak.fleet.cuts import cut_again_and_again
from bench.soak.fleet.fleet import due_times
from bench.soak.fleet.options import FleetOptions
from bench.soak.fleet.outcome import answered_in


def test_the_defaults_are_those_of_a_whole_run_and_quick_takes_less_than_a_minute():
    full, quick = FleetOptions.read([]), FleetOptions.read(["--quick"])
    assert (full.edges, full.clouds, full.kill_every, full.seconds) == (100, 3, 10, 300)
    assert full.load <= 0.5
    assert quick.seconds + quick.calm + quick.capacity < 40
    assert quick.kill_every <= quick.seconds / quick.clouds, "not every cloud is killed"


def test_numbers_without_sense_a_missing_balancer_and_a_used_folder_are_refused(
    tmp_path, monkeypatch, capsys
):
    (tmp_path / "records.jsonl").touch()
    monkeypatch.setattr("bench.soak.fleet.options._PATH", str(tmp_path))
    cases = {
        "--load=0.6": "0.6",
        "--clouds=1": "1",
        "--balancer=nginx": "nginx",
        "--balancer=haproxy": "not installed",
        f"--folder={tmp_path}": "earlier",
    }
    for flag, said in cases.items():
        with pytest.raises(SystemExit):
            FleetOptions.read([flag])
        assert said in capsys.readouterr().err, flag
    assert FleetOptions.read([]).haproxy is None


def test_frames_are_due_evenly_and_as_many_in_all_as_were_asked_for():
    due = due_times(10, 5.0, 25.0, 4.0, seed=1)
    assert sum(map(len, due)) == pytest.approx(80, abs=10)
    for times in due:
        assert all(5 <= at < 25 for at in times)
        assert {round(after - before, 6) for before, after in itertools.pairwise(times)} == {2.5}
    assert len({times[0] for times in due}) == 10, "all at once"
    assert due == due_times(10, 5.0, 25.0, 4.0, seed=1) != due_times(10, 5.0, 25.0, 4.0, seed=2)


def test_seconds_of_life_are_counted_between_the_bounds_only():
    lives = [Life(0, 10), Life(13, 20), Life(24)]
    cases = {(0, 30): 23, (5, 15): 7, (10, 13): 0, (21, 23): 0, (25, 26): 1}
    for (start, end), expected in cases.items():
        assert alive_s(lives, start, end) == expected, (start, end)


def line(frame_id, at, outcome="answered"):
    time = datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
    return {"frame_id": frame_id and f"{frame_id:016x}", "outcome": outcome, "time": time}


def test_a_ledger_is_read_by_the_runs_own_clock_and_for_its_own_frames():
    own, other = 5 << 32, 6 << 32
    ledger = [
        line(own | 1, 1000.25), line(own | 1, 1001), line(own | 2, 1002, "refused"), line(other | 1, 1003), line(None, 1004, "refused"),
    ]  # fmt: skip
    assert answered_in(ledger, {5: 3}, 900.0) == {own | 1: [100.25, 101.0]}


def test_cuts_take_turns_between_now_and_within_the_next_frame_and_are_counted():
    class Link(Emulator):
        def __init__(self):
            self.cuts = []

        def cut(self, after_bytes=None):
            self.cuts.append(after_bytes)

    async def check():
        link, until = Link(), asyncio.get_running_loop().time() + 0.5
        done = await cut_again_and_again(link, 0.02, until, 1000, seed=1)
        assert done == len(link.cuts) >= 2
        assert all((each is None) == (place % 2 == 1) for place, each in enumerate(link.cuts))
        assert all(0 <= each < 1000 for each in link.cuts if each is not None)

    asyncio.run(check())
