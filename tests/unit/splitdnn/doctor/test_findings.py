"""What the doctor makes of what it measures."""

from __future__ import annotations

import asyncio
import json
import time
from types import SimpleNamespace

import numpy as np
import pytest
from kits.naming import naming

from edge.cameras.file import read_cameras
from edge.config import EdgeSettings
from shared.process.threads import available_cores
from splitdnn.doctor import cloud, command, link, machine, network, visit
from splitdnn.doctor.camera import look_at_camera
from splitdnn.doctor.finding import Finding, State
from splitdnn.doctor.machine import look_at_disks, look_at_machine


def test_a_line_says_what_was_found_and_what_to_do():
    line = Finding("disk", State.WRONG, "0.1 GB free\nfor records", "make room").line()
    assert " ".join(line.split()) == "wrong disk 0.1 GB free for records; make room"
    assert "\n" not in line


def test_more_threads_than_cores_are_wrong(monkeypatch):
    monkeypatch.setattr(machine.os, "getloadavg", lambda: (0.0, 0.0, 0.0))
    assert look_at_machine(available_cores()).state is State.GOOD
    found = look_at_machine(available_cores() + 1)
    assert (found.state, found.todo.split()[:3]) == (
        State.WRONG,
        ["give", "--threads", str(available_cores())],
    )


def test_a_busy_machine_and_one_without_memory_are_told(monkeypatch):
    monkeypatch.setattr(machine.os, "getloadavg", lambda: (1e3, 0.0, 0.0))
    assert look_at_machine(1).state is State.DOUBTFUL
    monkeypatch.setattr(machine, "_available_memory", lambda: 10 << 20)
    assert look_at_machine(1).state is State.WRONG


def test_a_containers_memory_counts_where_it_has_less_than_the_machine(tmp_path):
    assert machine._cgroup_memory(tmp_path) is None
    for most, expected in {"max": None, str(900 << 20): 800 << 20, "1": 0}.items():
        with naming(most):
            (tmp_path / "memory.max").write_text(f"{most}\n")
            (tmp_path / "memory.current").write_text(f"{100 << 20}\n")
            assert machine._cgroup_memory(tmp_path) == expected


@pytest.mark.parametrize(
    ("free", "bounded", "state"),
    [(1 << 40, True, State.GOOD), (1 << 40, False, State.DOUBTFUL), (1 << 20, True, State.WRONG)],
)
def test_disks(tmp_path, monkeypatch, free, bounded, state):
    monkeypatch.setattr(machine.shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    limit = {"results_max_bytes": 1 << 20} if bounded else {}
    settings = EdgeSettings(cache_dir="", results=str(tmp_path / "records.jsonl"), **limit)
    assert look_at_disks(settings).state is state


def test_nothing_written_is_no_fault():
    assert look_at_disks(EdgeSettings(cache_dir="")).state is State.GOOD


def test_clocks_may_differ_by_seconds_and_not_by_minutes():
    now = 1_800_000_000.5
    for ahead_s, state in {
        0: State.GOOD,
        3: State.GOOD,
        -4: State.GOOD,
        60: State.WRONG,
        -3600: State.WRONG,
    }.items():
        with naming(ahead_s):
            told = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(now + ahead_s))
            found = cloud._clock(told, now)
            assert found.state is state
            if state is State.WRONG:
                assert f"{abs(ahead_s)} s {'ahead' if ahead_s > 0 else 'behind'}" in found.text
    assert cloud._clock("soon", now).state is State.UNKNOWN


def test_certificates_by_what_is_left_of_them():
    for days, state in {-1: State.WRONG, 2: State.DOUBTFUL, 90: State.GOOD}.items():
        with naming(days):
            assert cloud._valid("certificate", 1e9 + 86_400 * days, 1e9).state is state


def test_answers_that_differ_are_wrong():
    assert link._alike(0.99).state is State.GOOD
    assert link._alike(0.2).state is State.WRONG


def camera(source: str):
    (only,) = read_cameras(EdgeSettings(name="gate", source=source))
    return only


def test_a_camera_that_gives_pictures_and_one_that_is_not_there(tmp_path):
    seen = look_at_camera(camera("synthetic:fps=0,frames=5"), 1.0)
    assert seen.finding.state is State.GOOD
    assert seen.picture is not None
    assert seen.picture.dtype == np.uint8
    assert f"{seen.picture.shape[1]}x{seen.picture.shape[0]}" in seen.finding.text
    seen = look_at_camera(camera(str(tmp_path / "nothing.mp4")), 1.0, several=True)
    assert (seen.finding.state, seen.finding.about, seen.picture) == (State.WRONG, "camera gate", None)
    assert "nothing.mp4" in seen.finding.text


def test_a_live_camera_that_gives_fewer_frames_than_it_announces(monkeypatch):
    picture, times = np.zeros((4, 6, 3), np.uint8), iter(np.arange(0, 100, 0.5))

    class Slow:
        live = True
        name = "slow"

        def open(self):
            """Nothing to open."""

        def read(self):
            return SimpleNamespace(picture=picture, damaged=False)

        def close(self):
            self.closed = True

    slow = Slow()
    monkeypatch.setattr("splitdnn.doctor.camera.open_source", lambda *_, **__: slow)
    monkeypatch.setattr("splitdnn.doctor.camera._announced", lambda _: ("h264 ", 25.0))
    finding = look_at_camera(
        camera("rtsp://somebody:secret@host/door"), 3.0, clock=lambda: float(next(times))
    ).finding
    assert finding.state is State.DOUBTFUL
    assert "h264 6x4, 2.0 frames/s (announced: 25)" in finding.text
    assert "secret" not in finding.text
    assert slow.closed


def test_settings_that_cannot_be_used_are_a_line_and_nothing_is_looked_at(capsys):
    assert command.main(["--codec", "nonsense", "--deadline-s", "-1"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "deadline_s" in err or "--deadline-s" in err


def test_each_of_several_clouds_is_looked_at(monkeypatch):
    seen = []

    async def visit(settings, _cameras, _threads, _seconds, _show):
        seen.extend(settings.cloud_urls)

    monkeypatch.setattr("splitdnn.doctor.visit.visit", visit)
    assert command.main(["--json", "--cloud-url", "http://a:1", "--cloud-url", "http://b:1"]) == 0
    assert seen == ["http://a:1", "http://b:1"]


def test_tls_is_looked_at_where_there_is_some(monkeypatch):
    """On one machine some clouds may speak TLS and others not."""
    seen = []

    async def cloud_says(*_):
        return [], {}

    async def look(_settings, url, context):
        seen.append((url, context))
        return []

    monkeypatch.setattr(visit, "look_at_cloud", cloud_says)
    monkeypatch.setattr(visit, "look_at_round_trip", look)
    monkeypatch.setattr(visit, "look_at_certificates", look)
    monkeypatch.setattr(visit, "context_of", lambda _: "context")
    looked = SimpleNamespace(loaded=None, plan=None)
    for url in ("http://127.0.0.1:1", "https://127.0.0.1:2"):
        line = SimpleNamespace(client=SimpleNamespace(url=url))
        asyncio.run(visit._cloud(None, line, looked, [], None, lambda _: None))
    assert seen == 2 * [("http://127.0.0.1:1", None)] + 2 * [("https://127.0.0.1:2", "context")]


def test_random_weights_are_doubtful(monkeypatch):
    for weights, state in {
        "random:0": State.DOUBTFUL,
        "IMAGENET1K_V1": State.GOOD,
        "file:random.pth": State.GOOD,
    }.items():
        with naming(weights):
            model = SimpleNamespace(
                name="a",
                weights=weights,
                fingerprint=b"12345678",
                task=SimpleNamespace(name="b"),
                recipe=None,
            )
            loaded = SimpleNamespace(
                model=model, engine=SimpleNamespace(engine="c", precision="d"), plans={None: [object()]}
            )
            monkeypatch.setattr(network, "load", lambda *_, found=loaded: found)
            monkeypatch.setattr(network, "_times", lambda *_: Finding("engine", State.GOOD, ""))
            assert network.look_at_network(None, (), 1, None).findings[0].state is state


def test_what_is_wrong_decides_the_exit_status(monkeypatch, capsys):
    async def visit(_settings, _cameras, _threads, _seconds, show):
        show(Finding("disk", State.GOOD, "room"))
        show(Finding("cloud", worst, "away", "start it"))

    monkeypatch.setattr("splitdnn.doctor.visit.visit", visit)
    for worst, status in {State.WRONG: 1, State.DOUBTFUL: 0, State.UNKNOWN: 0}.items():
        with naming(worst):
            assert command.main(["--json"]) == status
            assert json.loads(capsys.readouterr().out)[1] == {
                "about": "cloud", "state": worst.value, "found": "away", "todo": "start it",
            }  # fmt: skip


def test_no_secret_of_a_source_is_printed(tmp_path):
    seen = look_at_camera(camera(f"file-of-{tmp_path.name}://user:hunter2@host/x"), 0.1)
    assert "hunter2" not in seen.finding.line()


def test_no_secret_of_a_clouds_address_is_printed():
    finding = Finding(
        "cloud",
        State.WRONG,
        "http://u:hunter2@a:1 answers, but not as a SplitDNN cloud",
        "look at http://u:hunter2@a:1",
    )
    for said in (finding.line(), json.dumps(finding.record())):
        assert "hunter2" not in said
        assert "***@a:1" in said
