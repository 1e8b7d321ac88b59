"""The first network is loaded beside the rest of a start, which is neither held up by it nor disturbs what it measures."""

from __future__ import annotations

import subprocess
import sys
import threading
from concurrent.futures import Future
from pathlib import Path

import pytest
from kits import bundles
from kits.edge import settings_of
from kits.edge_main import NOWHERE, SMALL, refused

from edge.cameras.file import read_cameras
from edge.network import early_load
from edge.network.early_load import EarlyLoad
from shared.errors import StartupError
from shared.network.choice import CLOUD

ROOT = Path(__file__).resolve().parents[4]
LONG_S = 60.0
CAMERAS = read_cameras(settings_of())


@pytest.fixture
def asked(monkeypatch):
    """In place of `load`: calls `hold`, and gives whether it was to wait for that, as `waiting` and `begun` tell."""

    class Asked:
        begun, waiting, released = threading.Event(), threading.Event(), threading.Event()

        def load(self, _settings, _cameras, _threads, _metrics, *, hold):
            self.begun.set()
            self.waiting.set()
            hold()
            self.released.set()
            return "loaded"

    asked = Asked()
    monkeypatch.setattr(early_load, "load", asked.load)
    return asked


def test_it_begins_at_once_and_measures_only_when_told(asked):
    with EarlyLoad(settings_of(), CAMERAS, 1) as early:
        assert asked.waiting.wait(LONG_S)
        assert not asked.released.is_set()
        assert not early.loaded.done()
        early.proceed()
        assert early.loaded.result(LONG_S) == "loaded"


def test_a_start_that_fails_gives_up_what_waits(asked):
    with pytest.raises(KeyError), EarlyLoad(settings_of(), CAMERAS, 1) as early:
        raise KeyError("mistyped")
    assert isinstance(early.loaded.exception(LONG_S), StartupError)
    assert not asked.released.is_set()


def test_the_clouds_network_is_not_known_yet(asked):
    with EarlyLoad(settings_of(model=CLOUD), CAMERAS, 1) as early:
        assert early.loaded is None
        early.slow.submit(lambda: None).result(LONG_S)
    assert not asked.begun.is_set()


def test_a_mistyped_source_is_reported_while_the_network_is_loaded(edge, monkeypatch, tmp_path):
    gate, begun = threading.Event(), threading.Event()

    def load(*_arguments, **_options):
        begun.set()
        assert gate.wait(LONG_S)

    monkeypatch.setattr(early_load, "load", load)
    try:
        message = refused(edge, *SMALL, *NOWHERE, "--source", tmp_path / "nothing.mp4")
        assert begun.wait(LONG_S)
    finally:
        gate.set()
    assert "nothing.mp4: No such file or directory" in message


def test_what_is_wrong_with_source_and_network_is_said_of_the_source(edge, monkeypatch, tmp_path):
    """Whichever is found first."""
    failed = Future()
    failed.set_exception(StartupError("no such network"))
    monkeypatch.setattr(early_load.ThreadPoolExecutor, "submit", lambda *_, **__: failed)
    given = [*SMALL, *NOWHERE]
    assert "nothing.mp4" in refused(edge, *given, "--source", tmp_path / "nothing.mp4")
    assert refused(edge, *given) == "no such network"


@pytest.mark.slow
def test_it_waits_for_no_import_of_the_rest():
    """What takes long to import is imported while the network is read."""
    code = (
        "import sys; import edge.network.early_load\n"
        "print(sorted({'aiohttp', 'cv2', 'tornado', 'openvino', 'torch'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.slow  # compiles a network
@pytest.mark.parametrize(("more", "waits"), [({}, False), ({"split_point": "auto"}, True)])
def test_only_what_measures_is_held(more, waits):
    folder = str(bundles.tiny().folder)
    settings = settings_of(
        model=folder, cache_dir="", cloud_url="http://127.0.0.1:1", precision="float32", **more,
        source="synthetic:fps=0,frames=8,width=64,height=48",
    )  # fmt: skip
    held = []
    metrics = early_load.EdgeMetrics()
    assert early_load.load(settings, read_cameras(settings), 1, metrics, hold=lambda: held.append(True)).plans
    assert bool(held) == waits
