"""Who looks at frames is given each of them, as the network is, and before it is prepared."""

from __future__ import annotations

import asyncio

import cv2
import numpy as np
from kits.edge import FakeSource, Run, pictures
from kits.edge_page import PageRun


def test_every_frame_that_is_taken_is_shown_once_and_in_order():
    looked = []
    given = list(pictures(5))
    run = Run(FakeSource(given), look=looked.append)
    run.to_end()
    assert [frame.origin.number for frame in looked] == [0, 1, 2, 3, 4]
    assert all(np.array_equal(frame.picture, picture) for frame, picture in zip(looked, given, strict=True))
    assert [record.frame for record in run.records] == [0, 1, 2, 3, 4]


def test_a_pipelines_records_and_pictures_meet_on_the_page(monkeypatch):
    """Through the real steps: the picture that is shown is the one that the record's frame came from."""
    monkeypatch.setattr("edge.output.page.pictures.EVERY_S", 0.0)
    bright = [np.full((12, 14, 3), 20 * number, np.uint8) for number in range(10)]

    async def go():
        made = PageRun()
        made.page._pictures.watch("camera")
        run = Run(FakeSource(bright), look=made.page.look, sinks=[made.page])
        await run.within()
        (camera,) = made.page._state.said()["cameras"]
        picture = camera["picture"]
        assert picture["frame_id"] == run.records[picture["frame"]].frame_id
        assert picture["headline"] == run.records[picture["frame"]].answer.headline()
        _, jpeg = await made.page._pictures.jpeg("camera", picture["frame"])
        await made.page.close()
        pixels = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
        assert abs(float(pixels.mean()) - 20 * picture["frame"]) < 3

    asyncio.run(go())
