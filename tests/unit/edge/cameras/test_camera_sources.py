"""The sources of several cameras, opened and closed."""

from __future__ import annotations

import logging
from threading import Barrier

import pytest
from kits.edge import settings_of

from edge.cameras.metrics import CameraMetrics
from edge.cameras.settings import CameraSettings, inherited
from edge.cameras.sources import Sources
from edge.metrics import EdgeMetrics
from edge.sources.synthetic import Synthetic
from shared.errors import StartupError
from shared.observing.logs import configure_logs


def sources_of(**cameras):
    """`cameras` by name, each what its table says."""
    metrics = EdgeMetrics(list(cameras))
    flags = inherited(settings_of())
    settings = [CameraSettings.model_validate(flags | {"name": name} | own) for name, own in cameras.items()]
    return Sources(settings, {name: CameraMetrics(metrics, name) for name in cameras})


def test_cameras_that_hang_are_closed_side_by_side(monkeypatch):
    all_are_closing = Barrier(5)
    monkeypatch.setattr(
        "edge.sources.live.capture.LiveCapture.close", lambda _: all_are_closing.wait(timeout=20)
    )
    sources = sources_of(**{f"c{n}": {"source": f"rtsp://camera{n}/"} for n in range(5)})
    sources.stop()
    sources.close()


def test_videos_beside_each_other_are_decoded_without_ffmpegs_threads(monkeypatch, tmp_path):
    monkeypatch.setattr("edge.sources.files.video_file.cv2.getNumThreads", lambda: 3)
    made = []
    monkeypatch.setattr("edge.sources.files.video_file.Video", lambda *_, threads, **__: made.append(threads))
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"no picture")
    sources_of(a={"source": str(path)})
    sources_of(a={"source": str(path)}, b={"source": str(path)})
    assert made == [3, 1, 1]


def test_what_is_logged_at_the_start_says_of_which_camera_it_is(monkeypatch, capsys):
    configure_logs("info", "text")

    def open_source(spec, **_):
        logging.getLogger("edge").warning("%s is odd", spec)
        return Synthetic("synthetic")

    monkeypatch.setattr("edge.cameras.sources.open_source", open_source)
    sources_of(a={"source": "one"}, b={"source": "two"})
    sources_of(c={"source": "three"})
    said = [line.partition("WARNING ")[2] for line in capsys.readouterr().err.splitlines()]
    assert said == ["edge: camera a: one is odd", "edge: camera b: two is odd", "edge: three is odd"]


def test_a_camera_that_would_see_nothing_ends_the_start():
    everything = ((0, 0), (1, 0), (1, 1), (0, 1))
    with pytest.raises(
        StartupError, match=r"^camera b: its masks, zone and crop leave nothing of the picture$"
    ):
        sources_of(a={"source": "synthetic"}, b={"source": "synthetic", "masks": (everything,)})
