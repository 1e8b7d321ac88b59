"""`python -m edge --cameras`, in this process: several sources, one network, one set of records."""

from __future__ import annotations

import json
import socket
import urllib.request

import pytest
from kits.edge_main import NOWHERE, SMALL, refused, send_when

from bench.harness.process import free_port
from edge.sources.synthetic import Synthetic
from shared.errors import SourceError

pytestmark = pytest.mark.slow  # networks are compiled


def table(name, source="synthetic:fps=0,frames=6,width=64,height=48", **more):
    lines = [
        f"{key} = {json.dumps(value)}" for key, value in ({"name": name, "source": source} | more).items()
    ]
    return "\n".join(["[[camera]]", *lines, ""])


@pytest.fixture
def run(edge, tmp_path):
    """Runs these tables; gives the exit status, what was printed, the errors, and the records by camera, in their order."""

    def go(*tables, results="out.jsonl", arguments=()):
        path = tmp_path / "cameras.toml"
        path.write_text("\n".join(tables))
        status, out, errors = edge(
            *SMALL, *NOWHERE, "--cameras", path, "--results", tmp_path / results, *arguments
        )
        found = {}
        for file in sorted(tmp_path.glob("*.jsonl")):
            for line in file.read_text().splitlines():
                record = json.loads(line)
                found.setdefault(record["camera"], []).append(record)
        return status, out, errors, found

    return go


def numbers(found):
    return {camera: [each["frame"] for each in records] for camera, records in found.items()}


def test_each_camera_is_answered_in_its_order_and_by_its_own_settings(run):
    status, out, errors, found = run(
        table("gate", deadline_s=0.5, crop=[0.5, 0, 1, 1]),
        table("yard", "synthetic:fps=0,frames=9,width=80,height=60", frames=4, grayscale=True),
        table("door", split_point="output"),
        table("hall", split_point="input", codec="png", picture_size="source"),
    )
    assert (status, errors) == (0, [])
    assert numbers(found) == {
        "gate": [*range(6)],
        "yard": [*range(4)],
        "door": [*range(6)],
        "hall": [*range(6)],
    }
    plans = {camera: {(each["split_point"], each["codec"]) for each in found[camera]} for camera in found}
    assert plans["door"] == {("output", "none")}
    assert plans["hall"] == {("input", "png")}
    assert plans["gate"] == plans["yard"]
    assert {each["fallback"] for each in found["door"]} == {None}
    assert "frames in           22" in out
    assert [line.split()[:2] for line in out.splitlines() if line.startswith(tuple(found))][-4:] == [
        ["gate", "6"],
        ["yard", "4"],
        ["door", "6"],
        ["hall", "6"],
    ]


def test_records_may_go_to_a_file_for_each_camera(run, tmp_path):
    status, _, _, found = run(table("gate"), table("yard"), results="{camera}.jsonl")
    assert status == 0
    assert numbers(found) == {"gate": [*range(6)], "yard": [*range(6)]}
    assert sorted(path.name for path in tmp_path.glob("*.jsonl")) == ["gate.jsonl", "yard.jsonl"]


def test_a_camera_that_breaks_down_is_an_exit_status_and_costs_the_others_nothing(run, edge, monkeypatch):
    usual = Synthetic.read

    def read(source):
        shot = usual(source)
        if shot and shot.number == 2 and "frames=50" in source.name:
            raise SourceError(f"{source.name}: its disk was taken away")
        return shot

    monkeypatch.setattr(Synthetic, "read", read)
    status, out, errors, found = run(
        table("gate"), table("bad", "synthetic:fps=0,frames=50,width=64,height=48"), table("yard")
    )
    assert status == 2
    assert errors == [
        "splitdnn: camera bad: synthetic:fps=0,frames=50,width=64,height=48: its disk was taken away"
    ]
    assert numbers(found) == {"gate": [*range(6)], "bad": [0, 1], "yard": [*range(6)]}
    assert "frames in           14" in out
    (told,) = [line for line in edge.log if " ERROR " in line]
    assert "camera bad: it has broken down, the others go on: " in told


def test_what_is_wrong_is_said_before_anything_is_loaded(edge, tmp_path):
    path = tmp_path / "cameras.toml"
    for text, said in (
        (table("gate") + table("gate"), "several cameras are called gate"),
        (table("gate", fsp=5), "camera 1 (gate): unknown key 'fsp'; did you mean fps"),
        (table("gate") + table("yard", "nowhere.mp4"), "camera yard: nowhere.mp4: No such file"),
        (table("gate") + table("yard", "gopher://x/"), "camera yard: gopher://x/: gopher:// is no source"),
        (table("gate", "synthetic:fsp=1") + table("b"), "camera gate: "),
    ):
        path.write_text(text)
        assert said in refused(edge, *SMALL, *NOWHERE, "--cameras", path), text


def test_a_plan_that_cannot_be_is_told_with_its_camera(edge, tmp_path):
    path = tmp_path / "cameras.toml"
    for text, said in (
        (table("gate") + table("yard", split_point="inptu"), "camera yard: unknown split point 'inptu'"),
        (table("gate") + table("yard", codec="jpg"), "camera yard: unknown codec 'jpg'; did you mean jpeg"),
    ):
        path.write_text(text)
        assert said in refused(edge, *SMALL, *NOWHERE, "--cameras", path), text


def test_the_effective_settings_show_the_file_and_no_password_of_it(edge, tmp_path):
    path = tmp_path / "cameras.toml"
    path.write_text(table("gate", "rtsp://user:secret@10.0.0.5/1"))
    status, out, _ = edge("--print-config", "--cameras", path)
    assert status == 0
    assert f"SPLITDNN_CAMERAS={path}" in out.splitlines()
    assert "secret" not in out


def test_a_camera_that_is_away_is_waited_for_while_the_others_go_on(edge, tmp_path):
    status_port = free_port()
    with socket.create_server(("127.0.0.1", 0)) as closed:
        away = f"http://user:secret@127.0.0.1:{closed.getsockname()[1]}/video"
    path, seen = tmp_path / "cameras.toml", {}
    path.write_text(table("away", away) + table("yard", "synthetic:fps=50,width=64,height=48"))

    def both():
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{status_port}/metrics", timeout=30) as answer:
                text = answer.read().decode()
        except OSError:
            return False
        for line in text.splitlines():
            name, _, number = line.rpartition(" ")
            seen[name] = number
        return float(seen.get('splitdnn_edge_frames_total{camera="yard",outcome="edge"}', 0)) >= 20

    send_when(both)
    status, out, errors = edge(
        *SMALL, *NOWHERE, "--cameras", path, "--status-port", status_port, "--show", "quiet", "--results",
        tmp_path / "out.jsonl",
    )  # fmt: skip
    assert (status, errors) == (0, []), out
    assert seen['splitdnn_edge_source_up{camera="away"}'] == "0.0"
    assert seen['splitdnn_edge_source_up{camera="yard"}'] == "1.0"
    assert seen['splitdnn_edge_last_frame_timestamp_seconds{camera="away"}'] == "0.0"
    assert seen['splitdnn_edge_camera_running{camera="away"}'] == "1.0"
    waiting = [line for line in edge.log if "waiting for it" in line]
    assert len(waiting) == 1
    assert "camera away: " in waiting[0]
    assert "secret" not in "\n".join(edge.log)
    records = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert {each["camera"] for each in records} == {"yard"}
