"""What cameras and streams have in common: a thread of its own for each connection, abandoned if it hangs."""

from __future__ import annotations

import threading
from contextlib import closing
from contextvars import ContextVar, copy_context

import numpy as np
import pytest

from edge.sources.base import Shot
from edge.sources.live import capture as live_capture
from edge.sources.live import connection
from edge.sources.live.capture import LiveCapture
from shared.errors import SourceError

PICTURE = np.zeros((4, 4, 3), np.uint8)


class ScriptedFeed:
    """Gives what its script says, numbered from 0: a picture, one that cannot be decoded (None), or an error."""

    pause_s = 0.0

    def __init__(self, script, left_out, *, opens=None):
        self.script = list(script)
        self.left_out = left_out
        self.opens = opens
        self.given = 0
        self.closed = threading.Event()

    def open(self):
        if self.opens:
            raise self.opens

    def read(self):
        while self.script:
            item = self.script.pop(0)
            if isinstance(item, Exception):
                raise item
            self.given += 1
            if item is not None:
                return Shot(item, self.given - 1, media_time_s=self.given / 10, damaged=self.given == 2)
            self.left_out()
        return None

    def close(self):
        self.closed.set()

    def interrupt(self):
        """Nothing waits."""


def capture_of(*scripts, left_out=None, **options):
    """Each connection plays the next script."""
    feeds = []

    def feed(leave_out):
        feeds.append(ScriptedFeed(scripts[len(feeds)], leave_out, **options))
        return feeds[-1]

    capture = LiveCapture(
        "camera",
        feed,
        advice="check it",
        open_timeout_s=30.0,
        read_timeout_s=30.0,
        on_undecodable=left_out or (lambda: None),
    )
    return capture, feeds


def test_numbers_go_on_after_a_loss_and_over_what_could_not_be_decoded():
    lost, left_out = SourceError("camera: lost"), []
    capture, feeds = capture_of(
        [PICTURE, PICTURE, None, PICTURE, lost], [None, PICTURE, PICTURE], left_out=lambda: left_out.append(1)
    )
    found = []
    with closing(capture):
        capture.open()
        found += [capture.read() for _ in range(3)]
        with pytest.raises(SourceError, match="camera: lost"):
            capture.read()
        capture.open()
        found += [capture.read() for _ in range(2)]
        with pytest.raises(SourceError, match="no more pictures"):
            capture.read()
    assert [shot.number for shot in found] == [0, 1, 3, 5, 6]
    assert [shot.media_time_s for shot in found] == [0.1, 0.2, 0.4, 0.2, 0.3]
    assert [shot.damaged for shot in found] == [False, True, False, True, False]
    assert len(left_out) == 2
    assert all(feed.closed.wait(60) for feed in feeds)


def test_a_feed_that_cannot_be_opened_says_why():
    capture, feeds = capture_of([], opens=SourceError("camera: refused"))
    with pytest.raises(SourceError, match=r"^camera: refused$"):
        capture.open()
    assert feeds[0].closed.wait(60)


def test_a_feed_that_ends_at_once():
    capture, _ = capture_of([None, None])
    with pytest.raises(SourceError, match="gives no picture, as 2 could not be decoded; check it"):
        capture.open()


def test_a_feed_that_breaks_is_an_error_in_one_line():
    capture, _ = capture_of([PICTURE, ValueError("what\nnobody expects")])
    with closing(capture):
        capture.open()
        capture.read()
        with pytest.raises(
            SourceError, match=r"^camera: reading it failed: ValueError: what nobody expects$"
        ):
            capture.read()


def test_it_is_closed_before_it_is_read():
    capture, _ = capture_of([PICTURE])
    with pytest.raises(SourceError, match="is closed"):
        capture.read()


class HungFeed:
    """Gives some pictures and then ignores every time limit."""

    pause_s = 0.0

    def __init__(self, pictures, *, opens):
        self.pictures = pictures
        self.opens = opens
        self.answer = threading.Event()
        self.closed = threading.Event()

    def open(self):
        if not self.opens:
            self.answer.wait()

    def read(self):
        if self.pictures:
            self.pictures -= 1
            return Shot(PICTURE, 0)
        self.answer.wait()
        return None

    def close(self):
        self.closed.set()

    def interrupt(self):
        """It does not listen."""


@pytest.mark.parametrize(
    ("pictures", "opens", "open_timeout_s", "message"),
    [
        (0, False, 0.01, "camera: no picture within 0.02 s; check it"),
        (0, True, 0.5, "camera: it can be opened, but gives no picture within 0.51 s; check it"),
        (1, True, 60.0, "camera: no picture for 0.01 s"),
    ],
)
def test_a_feed_that_ignores_its_time_limit_is_given_up(
    monkeypatch, pictures, opens, open_timeout_s, message
):
    hung = []

    def feed(_left_out):
        hung.append(HungFeed(pictures, opens=opens))
        return hung[-1]

    monkeypatch.setattr(live_capture, "MARGIN_S", 0.01)
    monkeypatch.setattr(connection, "_RELEASE_S", 0.01)
    source = LiveCapture(
        "camera",
        feed,
        advice="check it",
        open_timeout_s=open_timeout_s,
        read_timeout_s=0.01,
        on_undecodable=lambda: None,
    )
    for _ in range(4):
        with pytest.raises(SourceError, match=f"^{message}$"):
            source.open()
            source.read()
            source.read()
        source.close()
    with pytest.raises(SourceError, match="still hang"):
        source.open()
    assert len(hung) == 4, "threads do not pile up"
    for each in hung:
        assert not each.closed.is_set(), "closing what is being read would crash"
        each.answer.set()
        assert each.closed.wait(60)
    for thread in threading.enumerate():
        if thread.name == "source":
            thread.join(60)
    with pytest.raises(SourceError, match="no picture"):
        source.open()  # connects again
        source.read()
        source.read()
    hung[-1].answer.set()
    source.close()


def test_what_a_connection_logs_is_of_the_camera_that_opened_it():
    of_camera = ContextVar("camera", default="nobody")
    said = []
    capture, _ = capture_of([None, PICTURE], left_out=lambda: said.append(of_camera.get()))
    with closing(capture):
        copy_context().run(lambda: (of_camera.set("gate"), capture.open()))
    assert said == ["gate"]
