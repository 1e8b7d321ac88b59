"""The small instruments: windows of a run, /proc and /metrics."""

import os

import pytest

from bench.harness.process import busy_s, cpu_s, memory
from bench.harness.scrape import parse
from bench.harness.system import engine_in_force
from bench.speed.window import RUN_OUT, frames_needed, watch


class FakeEdge:
    """One record every 0.1 s, later than its own start-up of 5 s."""

    def __init__(self, frames, answered_by="cloud"):
        self.now = 0.0
        self._frames = frames
        self._answered_by = answered_by

    def records(self):
        for number in range(self._frames):
            self.now = 5.0 + 0.1 * number
            yield {"frame": number, "answered_by": self._answered_by, "fallback": None}, self.now

    def said(self):
        return "what it said"


def test_a_window_has_neither_start_up_nor_the_end_in_it():
    frames = frames_needed(warm=3, frames=10)
    assert frames == 13 + RUN_OUT
    edge = FakeEdge(frames)
    [window] = watch(edge, lambda: 2 * edge.now, warm=3, frames=10, answered_by="cloud")
    assert [record["frame"] for record in window.records] == list(range(3, 13))
    assert window.seconds == pytest.approx(1.0)
    assert window.frames_per_s == pytest.approx(10)
    assert window.after - window.before == pytest.approx(2.0)
    assert edge.now == pytest.approx(5.0 + 0.1 * (frames - 1)), "the edge is read to its last record"


def test_windows_follow_one_another_without_a_gap():
    edge = FakeEdge(frames_needed(warm=1, frames=4, windows=3))
    windows = watch(edge, lambda: edge.now, warm=1, frames=4, windows=3, answered_by="cloud")
    assert [len(window.records) for window in windows] == [4, 4, 4]
    assert [window.records[0]["frame"] for window in windows] == [1, 5, 9]
    assert [window.before for window in windows[1:]] == [window.after for window in windows[:-1]]


def test_a_frame_answered_by_another_side_is_an_error():
    with pytest.raises(RuntimeError, match="answered by edge, not by cloud"):
        watch(FakeEdge(40, "edge"), lambda: 0, warm=1, frames=4, answered_by="cloud")


def test_cpu_time_and_memory_of_this_process():
    before = cpu_s(os.getpid())
    block = bytearray(b"x" * 50_000_000)
    while cpu_s(os.getpid()) < before + 0.02:
        pass
    found = memory(os.getpid())
    assert found.peak >= found.resident >= 50_000_000
    assert found.own >= 50_000_000
    assert 0 < found.files < found.resident
    assert len(block) == 50_000_000


def test_metrics_are_found_by_name_and_label():
    metrics = parse(
        "# TYPE cpu_seconds counter\n"
        'cpu_seconds_total{stage="head"} 1.5\ncpu_seconds_total{stage="encode"} 0.25\n'
        "# TYPE block_seconds gauge\nblock_seconds 0.01\n"
    )
    assert metrics.value("cpu_seconds_total", stage="head") == 1.5
    assert metrics.value("block_seconds") == 0.01
    assert metrics.value("cpu_seconds_total") is None
    assert metrics.by_label("cpu_seconds_total", "stage") == {"head": 1.5, "encode": 0.25}
    assert metrics.by_label("other_total", "stage") == {}


def test_the_engine_in_force():
    said = {"engine": {"name": "openvino", "precision": "bfloat16", "threads": 2}}
    assert engine_in_force(said) == "openvino bfloat16, 2 threads"
    assert engine_in_force({}) == "not said by the cloud"


def test_the_machine_is_busy_with_all_but_waiting(tmp_path):
    tick = os.sysconf("SC_CLK_TCK")
    counts = [tick * each for each in (1, 2, 4, 1000, 1000, 8, 16, 32, 7, 7)]
    (tmp_path / "stat").write_text(f"cpu  {' '.join(map(str, counts))}\ncpu0 1 2 3\n")
    assert busy_s(tmp_path) == 63
