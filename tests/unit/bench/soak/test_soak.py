"""The soak's own judgement: its flags, its faults by seed, what it calls growth, and its table."""

from __future__ import annotations

import itertools
import os
import time

import pytest

from bench.emulator.link import Link
from bench.soak.command import SoakOptions
from bench.soak.faults import FAULTS, Breaker, Fault, schedule
from bench.soak.ledger import account
from bench.soak.report import Played, frame_table, joined
from bench.soak.watch import Watch

MB = 1_000_000


def test_the_flags_have_the_defaults_of_a_full_soak_and_quick_shortens_it():
    full, quick = SoakOptions.read([]), SoakOptions.read(["--quick"])
    assert (full.frames, full.seconds, full.warm, full.edges) == (20_000, 3600, 60, 8)
    assert (quick.frames, quick.seconds, quick.warm) == (20_000, 120, 30)
    assert SoakOptions.read(["--quick", "--seconds", "60"]).seconds == 60
    assert [each.plain for each in (full, SoakOptions.read(["--plain"]))] == [False, True]


def test_a_network_of_ones_own_is_cut_where_it_is_by_default_and_keeps_its_weights(tmp_path):
    folder = str(tmp_path)
    cases = [
        ([], ["--model=mobilenet_v2", "--weights=random", "--split-point=features.13"]),
        (["--model", "resnet18"], ["--model=resnet18", "--weights=random"]),
        (["--model", folder], [f"--model={folder}"]),
        (["--model", folder, "--split-point", "a+b"], [f"--model={folder}", "--split-point=a+b"]),
    ]
    for flags, expected in cases:
        assert SoakOptions.read(flags).network() == expected, flags


@pytest.mark.parametrize(
    "flags", [["--frames", "0"], ["--edges", "1000"], ["--fps", "-1"], ["--seconds", "x"]]
)
def test_numbers_without_sense_are_refused(flags, capsys):
    with pytest.raises(SystemExit):
        SoakOptions.read(flags)
    assert "python -m bench soak: error" in capsys.readouterr().err


def test_a_folder_with_another_soaks_records_is_refused(tmp_path, capsys):
    (tmp_path / "ledger.jsonl").touch()
    with pytest.raises(SystemExit):
        SoakOptions.read(["--folder", str(tmp_path)])
    assert "earlier" in capsys.readouterr().err


def test_a_seed_gives_the_same_faults_and_every_round_has_all_of_them():
    count = 3 * len(FAULTS)
    first, again, other = (list(itertools.islice(schedule(seed), count)) for seed in (1, 1, 2))
    assert first == again != other
    for start in range(0, count, len(FAULTS)):
        assert {fault.kind for fault in first[start : start + len(FAULTS)]} == set(FAULTS)
    assert all(2 <= fault.gap_s <= 5 and 0.5 <= fault.seconds <= 4 for fault in first)


class Recorder:
    """A cloud and a link that note what is done to them."""

    def __init__(self):
        self.done = []
        self.link = Link()

    def __getattr__(self, name):
        def call(*positional, **named):
            self.done.append((name, *positional, *named.values()))

        return call

    def change(self, link):
        self.link = link
        self.done.append(("change", link))

    def stop(self):
        self.done.append(("stop",))
        return 0


@pytest.mark.parametrize("kind", FAULTS)
def test_every_fault_does_something_and_is_over_afterwards(kind):
    both = Recorder()
    breaker = Breaker(both, both, lambda _: both.done.append(("wait", both.link)))
    breaker.inject(Fault(0, kind, 1.0, 500))
    done = [name for name, *_ in both.done]
    assert done
    assert breaker.done == {kind: 1}
    assert both.link == Link()
    for on in ("blackout", "black_hole", "refuse"):
        calls = [arguments for name, *arguments in both.done if name == on]
        assert calls in ([], [[True], [False]])
    assert done.count("pause") == done.count("resume")
    assert done.count("start") == done.count("kill") + done.count("stop") == len(breaker.recoveries_s)


def test_what_was_broken_is_mended_when_the_soak_ends_meanwhile():
    both = Recorder()

    def over(_seconds):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Breaker(both, both, over).inject(Fault(0, "pause", 1.0, 0))
    assert both.done == [("pause",), ("resume",)]


def test_an_unknown_fault_is_refused():
    both = Recorder()
    with pytest.raises(ValueError, match="there are: kill"):
        Breaker(both, both, lambda _: None).inject(Fault(0, "flood", 1.0, 0))


def watched(resident, files):
    watch = Watch("edge 1", 1, 0.0)
    watch.resident, watch.files = resident, files
    return watch


@pytest.mark.parametrize(
    ("end", "files", "found"),
    [
        (100 * MB, 20, []),
        (129 * MB, 28, []),
        (131 * MB, 20, ["edge 1 grew from 100 to 131 MB"]),
        (100 * MB, 29, ["edge 1 had 20 files open, and 29 at the end"]),
    ],
)
def test_growth_is_a_tenth_and_twenty_megabytes_and_eight_files(end, files, found):
    watch = watched([100 * MB] * 9 + [end] * 5, [20] * 9 + [files] * 5)
    assert watch.faults() == found
    assert f"{end // MB} MB" in watch.row()


def test_one_high_sample_is_no_growth_and_a_short_life_is_not_judged():
    assert watched([100 * MB] * 13 + [900 * MB], [20] * 14).faults() == []
    short = watched([100 * MB, 900 * MB], [20, 90])
    assert short.faults() == []
    assert not short.judged


def test_a_process_is_sampled_when_it_is_warm_and_while_it_lives():
    now = time.monotonic()
    watch = Watch("own", os.getpid(), now + 10)
    watch.sample(now)
    assert watch.resident == []
    watch.sample(now + 10)
    assert watch.resident[0] > MB
    assert watch.files[0] > 2
    gone = Watch("gone", 2**22 + 1, 0)  # above any process id
    gone.sample(now)
    assert gone.resident == []


def test_the_table_sums_the_edges():
    def by(*answered, frames_in, dropped):
        return account([{"answered_by": each} for each in answered], frames_in=frames_in, dropped=dropped)

    one = by(*["cloud"] * 6, *["edge"] * 3, "nobody", frames_in=10, dropped=0)
    other = by("cloud", "edge", "still", frames_in=5, dropped=1)
    header, first, second, total = frame_table({"edge 1": one, "edge 2": other})
    assert header.split("  ")[-1].strip() == "difference"
    assert first.split() == ["edge", "1", "10", "6", "3", "0", "0", "1", "0"]
    assert second.split()[-1] == "1"
    assert total.split() == ["all", "15", "7", "4", "1", "1", "1", "1"]


def row(session, number, answered_by="cloud"):
    return {
        "frame": number,
        "frame_id": f"{session << 32 | number:016x}",
        "answered_by": answered_by,
        "fallback": None,
        "top": [{"class_id": 1}],
    }


def test_edges_that_share_a_ledger_are_joined_each_with_its_own_lines():
    edges = [Played(f"edge {session}", [row(session, 0), row(session, 1)], 2, 0) for session in (1, 2)]
    ledger = [
        {"frame_id": record["frame_id"], "outcome": "answered"} for edge in edges for record in edge.records
    ]
    assert joined(edges, ledger) == []
    stranger = {"frame_id": f"{9 << 32:016x}", "outcome": "answered"}
    found = joined(edges, [*ledger[:-1], stranger])
    assert len(found) == 2
    assert "no edge has sent" in found[0]
    assert found[1].startswith("edge 2: frame 1 ")
