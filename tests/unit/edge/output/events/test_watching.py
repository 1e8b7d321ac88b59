"""Cameras and clouds that are lost and found."""

from __future__ import annotations

from itertools import pairwise

import pytest
from prometheus_client import Gauge

from edge.cameras.metrics import CameraMetrics
from edge.metrics import EdgeMetrics
from edge.output.events.event import Kind
from edge.output.events.teller import Teller
from edge.output.events.watching import Watching
from edge.sources.reconnect import Reconnecting
from edge.uplink.circuit import Circuit
from edge.uplink.clouds.joint_circuit import JointCircuit
from shared.errors import SourceError


class Scene:
    def __init__(self):
        self.events, self.now = [], 0.0
        self.later = []
        teller = Teller(self.events.append, {}, now=lambda: 0.0)
        self.watching = Watching(teller, lambda: self.now, lambda *call: self.later.append(call))

    def pass_to(self, now):
        """Wait until then, and make the calls that are due."""
        self.now = now
        due, self.later = self.later, []
        for seconds, call in due:
            assert 0 < seconds <= 30
            call()

    @property
    def told(self):
        return [(each.camera, each.kind, dict(each.data)) for each in self.events]


@pytest.fixture
def scene():
    return Scene()


class Scripted:
    live, name = True, "scripted"

    def __init__(self, opens, reads):
        self.opens, self.reads = list(opens), list(reads)

    def open(self):
        if error := self.opens.pop(0):
            raise error

    def read(self):
        if isinstance(item := self.reads.pop(0), Exception):
            raise item
        return item

    def close(self):
        pass


def test_a_camera_that_is_not_there_comes_is_lost_comes_back_and_ends(scene):
    gone = SourceError("no route")
    cameras = {"door": CameraMetrics(EdgeMetrics(["door"]), "door")}
    scene.watching.watch_cameras(cameras)
    source = Scripted([gone, gone, None, gone, None], ["shot", gone, "shot", None])

    def wait(_):
        scene.now += 1.0

    up = cameras["door"].source_up
    reading = Reconnecting(
        source, up=up, reconnects=cameras["door"].source_reconnects, clock=lambda: scene.now, wait=wait
    )
    while reading.read():
        scene.now += 10.0
    cameras["door"].ended()
    assert scene.told == [
        ("door", Kind.CAMERA_DOWN, {"reason": "lost", "up_s": None}),
        ("door", Kind.CAMERA_UP, {"down_s": 2.0}),
        ("door", Kind.CAMERA_DOWN, {"reason": "lost", "up_s": 10.0}),
        ("door", Kind.CAMERA_UP, {"down_s": 2.0}),
        ("door", Kind.CAMERA_DOWN, {"reason": "ended", "up_s": 10.0}),
    ]


def test_what_ends_with_the_run_is_not_told(scene):
    cameras = {name: CameraMetrics(EdgeMetrics([name]), name) for name in ("door", "yard")}
    scene.watching.watch_cameras(cameras)
    for camera in cameras.values():
        camera.source_up.set(1)
    scene.watching.stop()
    for camera in cameras.values():
        camera.ended()
    assert [(name, kind) for name, kind, _ in scene.told] == [
        ("door", Kind.CAMERA_UP),
        ("yard", Kind.CAMERA_UP),
    ]


def test_a_cloud_is_away_once_its_circuit_opens_and_back_once_it_answers_a_frame(scene):
    circuit = Circuit(None, lambda: scene.now)
    scene.watching.watch_clouds(circuit, ["cloud:8881"])
    for _ in range(3):
        circuit.failed("late", circuit.era)
    scene.now = 5.0
    circuit.probe_answered(well=True)
    circuit.failed("late", circuit.era)
    scene.now = 7.0
    circuit.probe_answered(well=True)
    circuit.succeeded()
    assert scene.told == [
        (None, Kind.CLOUD_AWAY, {"clouds": ["cloud:8881"]}),
        (None, Kind.CLOUD_BACK, {"clouds": ["cloud:8881"], "away_s": 7.0}),
    ]


class _Cloud:
    """That has been greeted."""

    def __init__(self, circuit):
        self.line, self.circuit = self, circuit

    @property
    def takes_frames(self):
        return self.circuit.is_closed


def test_of_several_clouds_the_last_one_counts(scene):
    circuits = [Circuit(None, lambda: scene.now) for _ in range(2)]
    clouds = [_Cloud(each) for each in circuits]
    joint = JointCircuit(clouds, Gauge("state", "State.", ["state"], registry=None))
    for each in circuits:
        each.on_change = lambda _before, _now: joint.look()
    scene.watching.watch_clouds(joint, ["one", "two"])
    circuits[0].open("why")
    assert scene.told == []
    circuits[1].open("why")
    circuits[1].probe_answered(well=True)
    assert [kind for _, kind, _ in scene.told] == [Kind.CLOUD_AWAY]
    circuits[1].succeeded()
    circuits[0].probe_answered(well=True)
    circuits[0].succeeded()
    assert [kind for _, kind, _ in scene.told] == [Kind.CLOUD_AWAY, Kind.CLOUD_BACK]


def flap(circuit, times):
    """A cloud that goes away and comes back so many times."""
    for _ in range(times):
        circuit.open("why")
        circuit.probe_answered(well=True)
        circuit.succeeded()


def test_a_cloud_that_comes_and_goes_all_the_time_is_told_now_and_then_and_at_last_as_it_is(scene):
    circuit = Circuit(None, lambda: scene.now)
    scene.watching.watch_clouds(circuit, ["cloud:8881"])
    for second in range(3600):
        scene.pass_to(float(second))
        flap(circuit, 1)
    assert 10 < len(scene.events) <= 10 + 3600 / 30
    circuit.open("why")
    for hour in (2, 3, 4):
        scene.pass_to(3600.0 * hour)
    assert scene.events[-1].kind is Kind.CLOUD_AWAY
    assert scene.later == []
    kinds = [each.kind for each in scene.events]
    assert all(before is not after for before, after in pairwise(kinds))


def test_a_camera_that_comes_and_goes_all_the_time_is_told_now_and_then_and_at_last_as_it_is(scene):
    cameras = {name: CameraMetrics(EdgeMetrics([name]), name) for name in ("door", "yard")}
    scene.watching.watch_cameras(cameras)
    up = cameras["door"].source_up
    for _ in range(1000):
        up.set(1)
        up.lost()
    up.set(1)
    assert len(scene.events) == 10
    cameras["yard"].source_up.set(1)
    assert scene.events[-1].camera == "yard", "the others are told of at once"
    scene.pass_to(30.0)
    assert scene.events[-1].kind is Kind.CAMERA_UP
    up.lost()
    scene.watching.stop()
    scene.pass_to(60.0)
    assert len(scene.events) == 12


def test_what_cannot_be_told_ends_no_camera_and_is_told_later(scene, caplog):
    cameras = {"door": CameraMetrics(EdgeMetrics(["door"]), "door")}
    scene.watching.watch_cameras(cameras)
    up = cameras["door"].source_up
    later = scene.watching._call_later

    def none_left(*_):
        raise RuntimeError("can't start new thread")

    scene.watching._call_later = none_left
    for _ in range(100):
        up.set(1)
        up.lost()
    assert caplog.text.count("telling of a camera or of the clouds failed") == 1
    scene.watching._call_later = later
    up.set(1)
    scene.pass_to(30.0)
    assert [each.kind for each in scene.events[9:]] == [Kind.CAMERA_DOWN, Kind.CAMERA_UP]
