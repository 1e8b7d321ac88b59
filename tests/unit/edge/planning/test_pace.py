"""How fast frames come, of all cameras together."""

from __future__ import annotations

import pytest

from edge.planning.pace import Pace


def told(pace, camera, numbers, interval_s, start_s=0.0):
    for number in numbers:
        pace.captured(camera, number, start_s + interval_s * number)


def test_a_live_cameras_pace():
    pace = Pace({"a": True})
    assert pace.interval_s == 0.0
    told(pace, "a", range(10), 0.1)
    assert pace.interval_s == pytest.approx(0.1)


def test_frames_that_were_dropped_or_came_out_of_order_do_not_spoil_it():
    pace = Pace({"a": True})
    told(pace, "a", (0, 3, 2, 6, 4, 9, 8, 14), 0.1)
    assert pace.interval_s == pytest.approx(0.1)


def test_the_cameras_share_the_machine():
    pace = Pace({"a": True, "b": True, "silent": True})
    told(pace, "a", range(20), 0.1)
    told(pace, "b", range(40), 0.05)
    assert 1 / pace.interval_s == pytest.approx(10 + 20)


def test_a_recording_waits_for_its_reader_as_long_as_it_lasts():
    pace = Pace({"a": True, "clip": False})
    told(pace, "a", range(10), 0.1)
    told(pace, "clip", range(10), 0.01)
    assert pace.interval_s == 0.0
    pace.ended("clip")
    assert pace.interval_s == pytest.approx(0.1)


def test_a_camera_that_has_fallen_silent_no_longer_counts():
    pace = Pace({"a": True, "b": True})
    told(pace, "a", range(10), 0.1)
    told(pace, "b", range(10), 0.1)
    told(pace, "b", range(10, 70), 0.1)
    assert 1 / pace.interval_s == pytest.approx(10), "the other one's last frame was 6 s ago"
    told(pace, "a", range(70, 72), 0.1)
    assert 1 / pace.interval_s == pytest.approx(20)
