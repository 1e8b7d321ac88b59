"""A camera as the page shows it: alive, silent, lost, ended, broken."""

from __future__ import annotations

import pytest
from kits.edge import record

from edge.cameras.metrics import CameraMetrics
from edge.metrics import EdgeMetrics
from edge.output.page.seen.camera import CameraSeen
from shared.errors import SourceError


class Clock:
    now_s = 1000.0

    def __call__(self):
        return self.now_s


class Run:
    def __init__(self, monkeypatch, *, live=True):
        self.clock = Clock()
        monkeypatch.setattr("edge.cameras.metrics.time.monotonic", self.clock)
        self.metrics = CameraMetrics(EdgeMetrics(), "camera")
        self.camera = CameraSeen("camera", self.metrics, live=live, clock=self.clock)

    def frames(self, count, every_s):
        for number in range(count):
            self.clock.now_s += every_s
            self.metrics.saw_frame()
            self.camera.add(record(number))

    def status(self, *, is_up=True, is_running=True):
        return self.camera.said(None, is_up=is_up, is_running=is_running)["status"]


@pytest.fixture
def run(monkeypatch):
    return Run(monkeypatch)


def test_before_the_first_frame_it_waits(run):
    said = run.camera.said(None, is_up=False, is_running=True)
    assert (said["status"], said["age_s"], said["latest"], said["per_s"]) == ("waiting", None, None, 0.0)


@pytest.mark.parametrize("every_s", [0.02, 0.1, 0.5])
def test_a_live_camera_that_stops_is_silent_within_two_seconds(run, every_s):
    run.frames(50, every_s)
    assert run.status() == "live"
    run.clock.now_s += 1.3
    assert run.status() == "live", "a moment without frames is no death"
    run.clock.now_s += 0.4
    assert run.status() == "silent"
    run.frames(1, 0.01)
    assert run.status() == "live"


def test_a_slow_camera_is_not_called_silent_between_its_frames(run):
    run.frames(10, 5.0)
    run.clock.now_s += 5.0
    assert run.status() == "live"
    run.clock.now_s += 4.0
    assert run.status() == "silent"


def test_after_a_long_absence_the_next_death_is_seen_as_soon(run):
    run.frames(50, 0.1)
    run.frames(1, 3600.0)
    run.frames(20, 0.1)
    run.clock.now_s += 1.7
    assert run.status() == "silent"


def test_a_source_that_says_that_it_is_away_is_down_at_once(run):
    run.frames(5, 0.1)
    assert run.status(is_up=False) == "down"


def test_a_recording_may_wait_for_its_reader(monkeypatch):
    run = Run(monkeypatch, live=False)
    run.frames(5, 0.1)
    run.clock.now_s += 60
    assert run.status() == "live"
    assert run.status(is_running=False) == "ended"


def test_what_broke_down_says_why(run):
    run.frames(5, 0.1)
    run.camera.problem = lambda: SourceError("rtsp://gate: no route\n<b>")
    said = run.camera.said(None, is_up=False, is_running=False)
    assert (said["status"], said["problem"]) == ("broken", "rtsp://gate: no route\\n<b>")


def test_the_rate_is_that_of_the_frames_that_are_read(run):
    run.frames(50, 0.1)
    assert run.camera.said(None, is_up=True, is_running=True)["per_s"] == pytest.approx(10, rel=0.02)
    run.clock.now_s += 0.5
    assert run.camera.said(None, is_up=True, is_running=True)["per_s"] == pytest.approx(2, rel=0.02)
    run.clock.now_s += 10
    assert run.camera.said(None, is_up=True, is_running=True)["per_s"] == 0


def test_counts_are_the_metrics(run):
    run.metrics.frames("dropped").inc(3)
    run.metrics.frames("cloud").inc(2)
    counts = run.camera.said(None, is_up=True, is_running=True)["counts"]
    assert (counts["dropped"], counts["cloud"], counts["edge"]) == (3, 2, 0)


def test_what_broke_a_camera_is_told_without_its_password_as_in_the_log(run):
    run.camera.problem = lambda: SourceError("gate: [Errno 111] refused: 'rtsp://anna:secret@gate/1'")
    said = run.camera.said(None, is_up=False, is_running=False)
    assert said["problem"] == "gate: [Errno 111] refused: 'rtsp://***@gate/1'"
