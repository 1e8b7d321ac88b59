"""The demo: whom it stays for, and which network it shows."""

import importlib.util
import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def demo(monkeypatch):
    for name in ("FRAMES", "AT_END", "PAGE_PICTURES", "STATUS_CERTIFICATE"):
        monkeypatch.delenv(f"SPLITDNN_{name}", raising=False)
    monkeypatch.setattr(sys, "argv", ["demo.py"])
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    spec = importlib.util.spec_from_file_location("demo", ROOT / "scripts" / "demo.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_it_stays_for_somebody_at_a_terminal(demo):
    assert demo._is_watched()


@pytest.mark.parametrize("name", ["SPLITDNN_FRAMES", "SPLITDNN_AT_END"])
def test_it_ends_where_an_end_was_asked_for(demo, monkeypatch, name):
    monkeypatch.setenv(name, "20")
    assert not demo._is_watched()


def test_it_ends_by_itself_after_so_many_frames_and_without_a_terminal(demo, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["demo.py", "--frames", "20"])
    assert not demo._is_watched()
    monkeypatch.setattr(sys, "argv", ["demo.py"])
    monkeypatch.setattr(sys.stdout, "isatty", lambda: False)
    assert not demo._is_watched()


def test_a_detector_at_hand_is_found_among_other_bundles(demo, tmp_path):
    assert demo._detector(tmp_path / "nowhere") is None
    for name, text in {
        "a-classifier": json.dumps({"task": {"name": "classify"}}),
        "b-broken": "{",
        "c-odd": "[]",
        "d-detector": json.dumps({"task": {"name": "detect"}}),
        "e-detector": json.dumps({"task": {"name": "detect"}}),
    }.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "bundle.json").write_text(text)
    assert demo._detector(tmp_path) == tmp_path / "d-detector"


def test_pictures_are_shown_unless_somebody_has_said_otherwise(demo, monkeypatch):
    assert demo._pictures() == ["--page-pictures"]
    monkeypatch.setenv("SPLITDNN_PAGE_PICTURES", "false")
    assert demo._pictures() == []


def test_a_page_with_a_certificate_is_found_however_it_was_given(demo, monkeypatch):
    assert not demo._has_certificate(["--show", "frames"])
    assert demo._has_certificate(["--status-certificate", "tls.crt"])
    assert demo._has_certificate(["--status-certificate=tls.crt"])
    monkeypatch.setenv("SPLITDNN_STATUS_CERTIFICATE", "tls.crt")
    assert demo._has_certificate([])


class _Ready(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


def test_a_proxy_of_the_environment_is_not_asked_for_this_machine(monkeypatch, demo):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    with HTTPServer(("127.0.0.1", 0), _Ready) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        running = SimpleNamespace(poll=lambda: None)
        assert demo._wait_until(f"http://127.0.0.1:{server.server_port}/", running, lambda _: True, 2.0)
        server.shutdown()
