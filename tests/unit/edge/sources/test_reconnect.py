"""A live source that comes back."""

from __future__ import annotations

import logging
import threading
from contextlib import closing
from types import SimpleNamespace

import numpy as np
import pytest
from kits.sources import FakeTime, read_all, running_camera, source_of

from edge.cameras.metrics import CameraMetrics
from edge.metrics import EdgeMetrics
from edge.sources.reconnect import LONGEST_WAIT_S, Reconnecting
from shared.errors import SourceError, UnusableSourceError


@pytest.fixture
def camera():
    with running_camera() as camera:
        yield camera


class Scripted:
    """A live source that gives what its script says; an exception is raised."""

    live = True
    name = "scripted"

    def __init__(self, opens=(), reads=()):
        self.opens, self.reads = list(opens), list(reads)
        self.closed = 0

    def open(self):
        if self.opens and (error := self.opens.pop(0)):
            raise error

    def read(self):
        item = self.reads.pop(0)
        if isinstance(item, Exception):
            raise item
        return item

    def close(self):
        self.closed += 1


def reconnecting(source, **injected):
    metrics = EdgeMetrics()
    told = CameraMetrics(metrics, "camera")
    reconnect = Reconnecting(source, up=told.source_up, reconnects=told.source_reconnects, **injected)

    def value(name):
        return metrics.registry.get_sample_value(f"splitdnn_edge_{name}", {"camera": "camera"})

    return SimpleNamespace(
        source=reconnect, up=lambda: value("source_up"), attempts=lambda: value("source_reconnects_total")
    )


LOST = SourceError("lost")
FRAME = np.zeros((2, 2, 3), np.uint8)


def test_reconnecting_waits_for_what_is_not_there_yet(caplog):
    caplog.set_level(logging.INFO)
    fake = FakeTime()
    source = Scripted(
        opens=[LOST, LOST, SourceError("refused"), None, LOST, None], reads=[FRAME, LOST, FRAME]
    )
    kit = reconnecting(source, clock=fake.clock, wait=fake.sleep, jitter=lambda: 1.0)
    kit.source.open()
    assert (kit.up(), kit.attempts()) == (0, 0)
    assert source.opens[0] is LOST, "opening it is left to the thread that reads"
    assert kit.source.read() is FRAME
    assert (kit.up(), kit.attempts()) == (1, 3)
    assert fake.slept == [0.5, 1, 2]
    assert kit.source.read() is FRAME
    assert [record.getMessage() for record in caplog.records] == [
        "source not there yet, waiting for it: lost",
        "source still not there: refused",
        "source there: scripted, after 3.5 s",
        "source lost: lost",
        "source back: scripted, after 12.0 s",
    ]


def test_reconnecting_gives_up_at_once_on_what_waiting_does_not_mend():
    kit = reconnecting(Scripted(opens=[UnusableSourceError("not yours")]))
    kit.source.open()
    with pytest.raises(UnusableSourceError):
        kit.source.read()
    assert (kit.up(), kit.attempts()) == (0, 0)


def test_reconnecting_keeps_a_source_that_has_worked():
    source = Scripted(
        opens=[None, UnusableSourceError("not yours any more"), None], reads=[FRAME, LOST, FRAME]
    )
    kit = reconnecting(source, wait=lambda _seconds: None)
    assert kit.source.read() is FRAME
    assert kit.source.read() is FRAME
    assert kit.attempts() == 2


def test_reconnecting_stops_while_it_waits_for_the_first_frame():
    kit = reconnecting(Scripted(opens=[LOST]), jitter=lambda: 1e6)  # it would wait for days
    kit.source.open()
    threading.Timer(0.05, kit.source.stop).start()
    assert kit.source.read() is None
    assert kit.up() == 0


def test_reconnecting_backs_off_and_says_so_once(caplog):
    caplog.set_level(logging.INFO)
    fake = FakeTime()
    source = Scripted(opens=[None, *[LOST] * 9, None], reads=[FRAME, LOST, FRAME])
    up_while_waiting = []

    def wait(seconds):
        up_while_waiting.append(kit.up())
        fake.sleep(seconds)

    kit = reconnecting(source, clock=fake.clock, wait=wait, jitter=lambda: 1.0)
    kit.source.open()
    assert kit.source.read() is FRAME
    assert kit.up() == 1
    assert kit.source.read() is FRAME
    assert kit.up() == 1
    assert kit.attempts() == 10
    assert fake.slept == [0.5, 1, 2, 4, 8, 16, 30, 30, 30, 30]
    assert not any(up_while_waiting)
    lost, back = (record.getMessage() for record in caplog.records)
    assert "lost: lost" in lost
    assert "back: scripted, after 151.5 s" in back


def test_reconnecting_jitters():
    fake = FakeTime()
    source = Scripted(opens=[None, LOST, LOST], reads=[LOST, FRAME])
    kit = reconnecting(source, clock=fake.clock, wait=fake.sleep, jitter=iter([0.0, 0.5, 0.25]).__next__)
    kit.source.open()
    kit.source.read()
    assert fake.slept == pytest.approx([0.25, 0.75, 1.25])


def test_reconnecting_does_not_hammer_what_is_lost_at_once():
    fake = FakeTime()
    kit = reconnecting(
        Scripted(reads=[LOST, LOST, LOST, FRAME, LOST, FRAME]),
        clock=fake.clock,
        wait=fake.sleep,
        jitter=lambda: 1.0,
    )
    kit.source.open()
    kit.source.read()
    assert fake.slept == [0.5, 1, 2]
    fake.now += LONGEST_WAIT_S + 1
    kit.source.read()
    assert fake.slept[3:] == [0.5]


def test_reconnecting_ends_with_what_has_an_end():
    kit = reconnecting(source_of("synthetic:fps=1000,frames=3,width=32,height=32"))
    assert kit.source.live
    assert len(read_all(kit.source)) == 3
    assert kit.up() == 0
    assert kit.attempts() == 0


def test_reconnecting_stops_at_once_while_it_waits():
    kit = reconnecting(Scripted(reads=[LOST]), jitter=lambda: 1e6)  # it would wait for days
    kit.source.open()
    threading.Timer(0.05, kit.source.stop).start()
    assert kit.source.read() is None
    assert kit.source.read() is None
    kit.source.close()
    assert kit.up() == 0


def test_reconnecting_to_a_camera_that_comes_back(camera, caplog):
    caplog.set_level(logging.INFO)
    waits = []

    def wait(seconds):
        waits.append(seconds)
        if len(waits) == 3:
            camera.switch_on()

    kit = reconnecting(source_of(camera.url), wait=wait)
    kit.source.open()
    with closing(kit.source):
        for _ in range(3):  # a camera that hangs up after one is asked for the next
            assert kit.source.read() is not None
        camera.switch_off()
        while len(waits) < 3:
            assert kit.source.read() is not None
        assert kit.source.read() is not None
        assert kit.up() == 1
        assert kit.attempts() == 3
    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING", "INFO"]
    assert [record.getMessage().partition(":")[0] for record in caplog.records] == [
        "source lost",
        "source still lost",
        "source back",
    ]
    assert "secret" not in caplog.text
