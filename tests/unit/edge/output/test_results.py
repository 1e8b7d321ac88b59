"""One record per frame, in order, exactly once; and the file they go to."""

from __future__ import annotations

import json
import os
import socket
import sys
from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kits.edge import record, value

from edge.metrics import EdgeMetrics
from edge.output.results import STDOUT, Record, Results, ResultsFile
from shared.errors import SettingsError


@given(st.integers(0, 30).flatmap(lambda count: st.permutations(range(count))))
def test_any_order_comes_out_in_order(order):
    first, second = [], []
    results = Results([first.append, second.append])
    for done, sequence in enumerate(order):
        results.accept(sequence, record(sequence))
        together = set(order[: done + 1])
        assert len(first) == next(i for i in range(len(order) + 1) if i not in together), "as soon as can be"
    assert [each.frame for each in first] == list(range(len(order)))
    assert first == second


def test_dropped_frames_leave_gaps_in_the_numbers_only():
    seen = []
    results = Results([seen.append])
    for sequence, number in ((1, 7), (0, 3), (2, 20)):
        results.accept(sequence, record(number))
    assert [each.frame for each in seen] == [3, 7, 20]


def test_nothing_is_kept_of_what_was_given_away():
    results = Results([])
    for sequence in range(100):
        results.accept(sequence, record(sequence))
    assert results._early == {}


# --- the file -----------------------------------------------------------------------------------------------------


@pytest.fixture
def metrics():
    return EdgeMetrics()


def lines_of(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_a_record_is_one_line_of_json(tmp_path, metrics):
    path = tmp_path / "out.jsonl"
    file = ResultsFile(str(path), metrics.result_errors)
    odd = record(
        1, fallback="late", answered_by="edge", top=[{"class_id": 1, "label": 'ü "x"\n', "probability": 0.1}]
    )
    file(record(0))
    file(odd)
    before_close = lines_of(path)
    file.close()
    assert lines_of(path) == before_close, "each is there at once"
    assert [Record(**line) for line in before_close] == [record(0), odd]
    assert list(before_close[0]) == [field.name for field in fields(Record)]
    assert "ü" in path.read_text(encoding="utf-8"), "readable by people"
    assert value(metrics, "result_errors_total") == 0


def test_the_host_name_is_filled_in(tmp_path, metrics):
    ResultsFile(str(tmp_path / "{hostname}.jsonl"), metrics.result_errors).close()
    assert [path.name for path in tmp_path.iterdir()] == [f"{socket.gethostname()}.jsonl"]


@pytest.mark.parametrize(("append", "frames"), [(False, [2]), (True, [0, 1, 2])])
def test_what_an_earlier_run_wrote(tmp_path, metrics, append, frames):
    """A file's records are made again by reading it again, a camera's are not."""
    for number in range(3):
        file = ResultsFile(str(tmp_path / "out"), metrics.result_errors, append=append)
        file(record(number))
        file.close()
    assert [line["frame"] for line in lines_of(tmp_path / "out")] == frames


@pytest.mark.parametrize("path", ["missing/out.jsonl", ".", "file/out.jsonl"])
def test_a_file_that_cannot_be_opened_says_why(tmp_path, metrics, path):
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError, match="give --results a file in a writable folder") as caught:
        ResultsFile(str(tmp_path / path), metrics.result_errors)
    assert "\n" not in str(caught.value)


def test_a_full_disk_is_counted_and_said_once(metrics, caplog):
    file = ResultsFile("/dev/full", metrics.result_errors)
    for number in range(50):
        file(record(number))
    assert value(metrics, "result_errors_total") == 50
    (line,) = caplog.records
    assert "No space left" in line.getMessage()
    file.close()


def test_a_disk_that_has_room_again_is_written_to_again(tmp_path, metrics, caplog):
    file = ResultsFile(str(tmp_path / "out"), metrics.result_errors)
    file(record(0))
    room, full = os.dup(file._file.fileno()), os.open("/dev/full", os.O_WRONLY)
    for target, number in ((full, 1), (room, 2), (full, 3)):
        os.dup2(target, file._file.fileno())
        file(record(number))
    os.dup2(room, file._file.fileno())
    file.close()
    os.close(room)
    os.close(full)
    assert value(metrics, "result_errors_total") == 2
    assert len(caplog.records) == 2, "once for each time that it was full"
    frames = [line["frame"] for line in lines_of(tmp_path / "out")]
    assert frames == [0, 2], "what was counted as lost does not come later"


def test_records_on_stdout_leave_it_open(metrics, capsys):
    file = ResultsFile(STDOUT, metrics.result_errors)
    file(record(4))
    file.close()
    assert not sys.stdout.closed
    assert json.loads(capsys.readouterr().out)["frame"] == 4


def test_a_reader_that_has_gone_ends_the_run(metrics, monkeypatch):
    """Nobody is there to read the records of the next ten hours."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w", buffering=1) as out:
        monkeypatch.setattr(sys, "stdout", out)
        file = ResultsFile(STDOUT, metrics.result_errors)
        with pytest.raises(BrokenPipeError):
            file(record(0))
        os.dup2(os.open(os.devnull, os.O_WRONLY), writer)  # as edge/__main__.py does
    assert value(metrics, "result_errors_total") == 0


def test_a_file_that_holds_no_records_is_not_overwritten(tmp_path):
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(b"\0\0\0\x20ftyp")
    (tmp_path / "link.jsonl").symlink_to(clip)
    for path in (clip, tmp_path / "link.jsonl"):
        with pytest.raises(SettingsError, match="exists and holds no records"):
            ResultsFile(str(path), EdgeMetrics().result_errors)
    assert clip.read_bytes() == b"\0\0\0\x20ftyp"


def test_a_record_that_a_full_disk_cut_off_does_not_spoil_the_next(tmp_path, metrics):
    file = ResultsFile(str(tmp_path / "out"), metrics.result_errors)
    file(record(0))
    whole = file._file

    class Filling:
        def write(self, data):
            return whole.write(data[:10])

    file._file = Filling()
    file(record(1))
    file._file = whole
    file(record(2))
    file.close()
    first, cut, last = (tmp_path / "out").read_text().splitlines()
    assert [json.loads(first)["frame"], json.loads(last)["frame"]] == [0, 2]
    assert len(cut) == 10
    assert file.lost == value(metrics, "result_errors_total") == 1
