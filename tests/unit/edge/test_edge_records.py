"""What a run of `python -m edge` leaves in its file of records, whatever the run before left there."""

from __future__ import annotations

import gc
import json

import pytest
from kits.edge_main import NOWHERE, SHORT, SMALL

pytestmark = pytest.mark.slow  # networks are compiled

QUIET = [*SMALL, *NOWHERE, "--split-point", "output", "--show", "quiet"]


def frames(*paths):
    return [json.loads(line)["frame"] for path in paths for line in path.read_text().splitlines()]


@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")  # Tornado's, where it could not bind
def test_a_run_that_never_began_leaves_no_records_of_an_earlier_one(edge, tmp_path):
    """Whatever comes next reads the file and takes them for this run's."""
    path = tmp_path / "out.jsonl"
    (tmp_path / "text.mp4").write_text("no video" * 100)
    for arguments in (
        ["--split-point", "pools"],
        ["--source", tmp_path / "text.mp4"],
        ["--source", tmp_path / "missing.mp4"],
        ["--source", "synthetic:fbs=3"],
        ["--model", tmp_path],
        ["--status-address", "192.0.2.1"],
    ):
        assert edge(*QUIET, *SHORT, "--results", path)[0] == 0
        assert frames(path) == [0, 1, 2]
        assert edge(*QUIET, *SHORT, "--results", path, *arguments)[0] == 2, arguments
        assert not path.exists() or not path.read_text(), arguments
    gc.collect()
    aside = sorted(tmp_path.glob("out-*.jsonl"))
    assert [frames(each) for each in aside] == [[0, 1, 2]] * 2, (
        "it was not known whether these were of a camera"
    )


def test_settings_that_cannot_be_read_touch_nothing(edge, tmp_path):
    path = tmp_path / "out.jsonl"
    path.write_text('{"frame":7}\n')
    assert edge(*QUIET, *SHORT, "--results", path, "--frames", "many")[0] == 2
    assert edge(*QUIET, *SHORT, "--results", path, "--list-split-points")[0] == 0
    assert edge(*QUIET, *SHORT, "--results", path, "--print-config")[0] == 0
    assert frames(path) == [7]


def test_a_cameras_records_are_added_and_a_recordings_replace(edge, tmp_path):
    path = tmp_path / "out.jsonl"
    camera = ["--source", "synthetic:fps=200,frames=2,width=64,height=48"]
    for number in range(2):
        assert edge(*QUIET, *camera, "--results", path)[0] == 0
        assert len(frames(path)) <= 2 * (number + 1)
    assert frames(path)
    assert edge(*QUIET, *SHORT, "--results", path)[0] == 0
    assert frames(path) == [0, 1, 2]


def test_records_go_to_files_of_limited_length_under_the_cameras_name(edge, tmp_path):
    limits = ["--results-max-bytes", 2000, "--results-keep", 100, "--name", "gate"]
    source = ["--source", "synthetic:fps=0,frames=20,width=64,height=48"]
    for _ in range(2):
        status, _, errors = edge(*QUIET, *source, "--results", tmp_path / "{camera}.jsonl", *limits)
        assert (status, errors) == (0, [])
        files = [*sorted(tmp_path.glob("gate-*.jsonl")), tmp_path / "gate.jsonl"]
        assert frames(*files) == list(range(20)), "once each, in order, and none of the run before"
        assert len(files) > 3
        assert max(file.stat().st_size for file in files) <= 2000
