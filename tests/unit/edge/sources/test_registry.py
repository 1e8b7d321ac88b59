"""Which source a `--source` names, and the sources that installed packages offer."""

from __future__ import annotations

import importlib.metadata
import sys
from types import ModuleType

import numpy as np
import pytest
from kits.sources import read_all, source_of

from edge.cameras.metrics import CameraMetrics
from edge.metrics import EdgeMetrics
from edge.sources import registry
from edge.sources.files.recordings import Recordings
from edge.sources.files.video_file import VideoFile
from edge.sources.live.stream import Stream
from edge.sources.live.webcam import Webcam
from edge.sources.reconnect import Reconnecting
from edge.sources.synthetic import Synthetic
from shared.errors import SettingsError, SourceError, SplitDNNError


class Screen:
    """What a package's factory makes: `count` grey frames."""

    live = False
    name = "screen"

    def __init__(self, options):
        self.options = options
        self.left = int(options.pop("count", 3))

    def open(self):
        pass

    def read(self):
        self.left -= 1
        return np.full((4, 6, 3), 128, np.uint8) if self.left >= 0 else None

    def close(self):
        pass


@pytest.fixture
def offer(monkeypatch):
    """Offers names as installed packages do; returns the list of the groups and names that were looked up."""
    asked = []
    offered = []

    def entry_points(**wanted):
        asked.append(wanted)
        return importlib.metadata.EntryPoints(offered).select(**wanted)

    def add(name, factory, package="their_package"):
        module = ModuleType(package)
        module.make = factory
        monkeypatch.setitem(sys.modules, package, module)
        offered.append(importlib.metadata.EntryPoint(name, f"{package}:make", registry.ENTRY_POINTS))
        return asked

    monkeypatch.setattr(registry, "entry_points", entry_points)
    add.asked = asked
    return add


def test_our_own_names_never_look_at_packages(offer, tmp_path):
    clip = tmp_path / "clip:fps=3.mp4"
    clip.touch()
    for spec, kind in (
        ("synthetic", Synthetic),
        ("synthetic:fps=0", Synthetic),
        ("0", Webcam),
        ("/dev/video7", Webcam),
        ("rtsp://camera/1", Stream),
        (str(tmp_path), Recordings),
        (str(clip), VideoFile),
    ):
        assert type(source_of(spec)) is kind, spec
    assert offer.asked == []


def test_a_packages_source_is_made_from_its_options_when_it_is_asked_for(offer):
    made = []
    offer("screen", lambda options: made.append(Screen(dict(options))) or made[-1])
    assert made == [], "nothing is loaded before"
    assert len(read_all(source_of("screen:count=2"))) == 2
    assert len(read_all(source_of("screen"))) == 3
    assert [each.options for each in made] == [{}, {}]
    assert offer.asked[0] == {"group": "splitdnn.sources", "name": "screen"}


def test_the_options_are_text_as_the_user_wrote_them(offer):
    offer("screen", lambda options: Screen(options | {"count": 1}))
    assert source_of("screen:display=:0,fps=2.50").inner.options == {"display": ":0", "fps": "2.50"}


def test_a_live_one_is_opened_again_like_a_camera(offer):
    class Lossy(Screen):
        live = True
        opened = 0

        def open(self):
            self.opened += 1

        def read(self):
            if self.opened == 1:
                raise SourceError("the screen was locked")
            return super().read()

    offer("screen", Lossy)
    told = CameraMetrics(EdgeMetrics(), "camera")
    source = Reconnecting(
        source_of("screen"), up=told.source_up, reconnects=told.source_reconnects, wait=lambda _: None
    )
    source.open()
    assert source.read().picture.shape == (4, 6, 3)


def test_a_path_that_exists_is_taken_for_the_path(offer, tmp_path, monkeypatch):
    offer("screen", Screen)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "screen").mkdir()
    assert isinstance(source_of("screen"), Recordings)
    assert isinstance(source_of("screen:count=1").inner, Screen)


def test_a_name_that_nobody_offers_is_a_path_that_is_missing(offer):
    offer("screen", Screen)
    with pytest.raises(SourceError, match="scren:count=1: No such file or directory; a source is a video"):
        source_of("scren:count=1")


def broken(options):
    raise ZeroDivisionError("division\nby zero")


def strict(options):
    raise SettingsError(f"no option {min(options)}")


@pytest.mark.parametrize(
    ("factory", "said"),
    [
        (broken, "--source screen: their_package:make fails: ZeroDivisionError: division by zero"),
        (lambda: None, "--source screen: their_package:make fails: TypeError: "),
        (
            lambda _: object(),
            "--source screen: what their_package:make returns is no source, it lacks live, name, open, read, close",
        ),
        (strict, "no option fps"),
    ],
)
def test_one_that_is_broken_is_said_in_a_line(offer, factory, said):
    offer("screen", factory)
    with pytest.raises(SettingsError) as caught:
        source_of("screen:fps=1")
    assert str(caught.value).startswith(said)
    assert "\n" not in str(caught.value)


def test_one_that_cannot_be_imported_is_said_in_a_line(offer, monkeypatch):
    offer("screen", Screen)
    monkeypatch.setitem(sys.modules, "their_package", None)
    with pytest.raises(SettingsError, match="--source screen: their_package:make fails: ModuleNotFoundError"):
        source_of("screen")


@pytest.mark.parametrize("spec", ["screen:fps", "screen:=1", "screen:a=1,a=2"])
def test_options_that_cannot_be_read(offer, spec):
    offer("screen", Screen)
    with pytest.raises(SettingsError, match="options are written name:key=value"):
        source_of(spec)


def test_two_packages_that_offer_the_same_name(offer):
    offer("screen", Screen)
    offer("screen", Screen)
    assert isinstance(source_of("screen").inner, Screen), "one package that is found twice"
    offer("screen", Screen, "another")
    with pytest.raises(
        SettingsError,
        match="several packages offer it: another:make, their_package:make, their_package:make;",
    ):
        source_of("screen")


def test_no_source_at_all():
    with pytest.raises(SplitDNNError, match="no source is given; try `synthetic`"):
        source_of("")
