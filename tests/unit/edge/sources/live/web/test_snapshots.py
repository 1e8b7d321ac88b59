"""Cameras that give one picture a request."""

from __future__ import annotations

from collections import deque

import cv2
import numpy as np
import pytest
from kits.sources import FakeTime
from kits.web_camera import jpeg

from edge.sources.live.web.client import StatusError
from edge.sources.live.web.snapshots import Snapshots
from shared.errors import SourceError

BROKEN = jpeg(50)[:-40]


class FakeWeb:
    """Answers with what its script says, each after some seconds; an exception is raised."""

    def __init__(self, time, *answers):
        self.time = time
        self.answers = deque(answers)
        self.asked = [time.now]

    def get(self):
        self.asked.append(self.time.now)
        if isinstance(self.answers[0], Exception):
            raise self.answers.popleft()

    def body(self, limit):
        answer = self.answers.popleft()
        body, seconds = answer if isinstance(answer, tuple) else (answer, 0)
        self.time.now += seconds
        assert len(body) <= limit
        return body


def snapshots(*answers, pause_s=1.0, left_out=None):
    time = FakeTime()
    web = FakeWeb(time, *answers)
    found = Snapshots(
        web,
        "camera",
        pause_s=pause_s,
        patience_s=5.0,
        on_undecodable=left_out or (lambda: None),
        clock=time.clock,
        wait=time.sleep,
    )
    return found, web, time


def test_a_picture_a_second_counted_from_request_to_request():
    camera, web, _time = snapshots(jpeg(10), (jpeg(20), 0.25), (jpeg(30), 3.5), jpeg(40), jpeg(50))
    shots = [camera.read() for _ in range(5)]
    assert [round(shot.picture.mean()) for shot in shots] == [10, 20, 30, 40, 50]
    assert [shot.number for shot in shots] == [0, 1, 2, 3, 4]
    assert [shot.media_time_s for shot in shots] == [None] * 5
    assert [at - web.asked[0] for at in web.asked] == [0, 1, 2, 5.5, 6.5], (
        "what was missed is not made up for"
    )


def test_the_same_picture_is_a_frame_again():
    camera, _, _ = snapshots(*[jpeg(10)] * 3)
    assert [camera.read().number for _ in range(3)] == [0, 1, 2]


def test_pictures_of_other_formats_and_sizes():
    png = cv2.imencode(".png", np.full((5, 6), 90, np.uint8))[1].tobytes()
    webp = cv2.imencode(".webp", np.full((7, 8, 3), 90, np.uint8))[1].tobytes()
    camera, _, _ = snapshots(jpeg(90), png, webp)
    assert [camera.read().picture.shape for _ in range(3)] == [(48, 64, 3), (5, 6, 3), (7, 8, 3)]


def test_a_picture_that_is_not_whole_is_left_out_and_counted(caplog):
    left_out = []
    camera, _, _ = snapshots(
        jpeg(10), BROKEN, b"", b"<html>", jpeg(20), BROKEN, jpeg(30), left_out=lambda: left_out.append(1)
    )
    assert [camera.read().number for _ in range(3)] == [0, 4, 6]
    assert len(left_out) == 4
    said = [record for record in caplog.records if record.name.startswith("edge")]
    assert len(said) == 2, "one line a run"
    assert said[0].getMessage() == "camera: a picture is left out, it is cut off"


def test_a_request_that_fails_is_made_again():
    busy = StatusError("camera: it answers with status 503", 503)
    camera, web, _ = snapshots(jpeg(10), busy, SourceError("camera: hung up"), jpeg(20))
    assert [camera.read().number for _ in range(2)] == [0, 1]
    assert [at - web.asked[0] for at in web.asked] == [0, 1, 2, 3]


def test_a_camera_that_fails_for_long_is_lost_and_says_why():
    camera, web, time = snapshots(jpeg(10), *[SourceError("camera: hung up")] * 20)
    camera.read()
    with pytest.raises(SourceError, match="camera: hung up"):
        camera.read()
    assert time.now - web.asked[0] == 7


def test_a_camera_of_which_nothing_can_be_decoded_is_lost():
    camera, _, _ = snapshots(jpeg(10), *[BROKEN] * 20)
    camera.read()
    with pytest.raises(SourceError, match="answers for 5 s were no pictures that can be decoded"):
        camera.read()


def test_a_changed_password_is_a_loss_at_once():
    camera, _, _ = snapshots(jpeg(10), StatusError("camera: it answers with status 401", 401))
    camera.read()
    with pytest.raises(StatusError, match="status 401"):
        camera.read()


def test_an_interrupt_ends_it():
    camera, _, _ = snapshots(jpeg(10), jpeg(20))
    camera.read()
    camera.interrupt()
    assert camera.read() is None
