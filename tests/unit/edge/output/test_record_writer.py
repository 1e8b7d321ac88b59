"""The thread that writes records: what waits, what is lost, and who is told."""

from __future__ import annotations

import json
import os
import threading

import pytest
from kits.edge import record
from prometheus_client import CollectorRegistry

from edge.output import record_writer as module
from edge.output.record_writer import RecordWriter
from shared.observing.counting.counter import Counter
from shared.observing.json_lines import JsonLines


class FakeFile:
    """Writes to a list, once it may; `failing` is raised instead."""

    def __init__(self, *, open_=True, on_disk=True):
        self.lost = 0
        self.on_disk = on_disk
        self.lines = []
        self.closed = False
        self.failing = None
        self.began, self.tended = threading.Event(), threading.Event()
        self.gate = threading.Event()
        if open_:
            self.gate.set()

    def write_bytes(self, line):
        self.began.set()
        assert self.gate.wait(60)
        if self.failing:
            raise self.failing
        self.lines.append(json.loads(line)["frame"])

    def tend(self):
        self.tended.set()

    def close(self):
        self.closed = True


@pytest.fixture
def errors():
    return Counter("lines", "Lines that were lost.", registry=CollectorRegistry())


@pytest.fixture
def writer_of(errors):
    made = []

    def make(*files, wait=False, patience_s=20.0):
        named = dict(zip(("camera", "other"), files, strict=False))
        made.append((RecordWriter(named, errors, wait=wait, patience_s=patience_s), files))
        return made[-1][0]

    yield make
    for writer, files in made:
        for file in files:
            file.gate.set()
        writer._thread.join(60)
        assert not writer._thread.is_alive() or not writer._closing


def counted(errors):
    return errors.labels().value()


def test_records_are_written_in_order_to_the_file_of_their_camera(writer_of):
    files = FakeFile(), FakeFile()
    writer = writer_of(*files)
    for number in range(200):
        writer(record(number, camera=("camera", "other")[number % 2]))
    writer.close()
    assert [file.lines for file in files] == [list(range(0, 200, 2)), list(range(1, 200, 2))]
    assert all(file.closed for file in files)
    assert writer.lost == 0


def test_a_file_is_tended_at_once_and_needs_no_record(writer_of, monkeypatch):
    monkeypatch.setattr(module, "_TEND_S", 0.001)
    file = FakeFile()
    writer = writer_of(file)
    for _ in range(3):
        assert file.tended.wait(60)
        file.tended.clear()
    writer.close()


def test_a_disk_that_takes_nothing_holds_no_camera_up(writer_of, errors, caplog, monkeypatch):
    one = len(json.dumps(record(100).fields()))
    monkeypatch.setattr(module, "_MAX_WAITING_BYTES", 10 * one)
    file = FakeFile(open_=False)
    writer = writer_of(file)
    for number in range(100, 150):
        writer(record(number))
    taken = 50 - writer.lost
    assert 8 <= taken <= 12
    assert counted(errors) == writer.lost
    assert [each.getMessage() for each in caplog.records] == [
        "results: they are written more slowly than they come; records are lost until some are"
    ]
    file.gate.set()
    number = 150
    while writer._lost_in_a_row:
        writer(record(number))
        number += 1
    writer.close()
    lost = writer.lost
    assert file.lines == [*range(100, 100 + taken), *range(100 + taken + lost, number)], "no gap but the lost"
    assert caplog.records[-1].getMessage() == f"results: written again; {lost} records were lost"
    assert len(caplog.records) == 2


def test_a_recording_waits_for_its_records(writer_of, monkeypatch):
    monkeypatch.setattr(module, "_MAX_WAITING_BYTES", 1000)
    file = FakeFile(open_=False)
    writer = writer_of(file, wait=True)
    thread = threading.Thread(target=lambda: [writer(record(number)) for number in range(100)])
    thread.start()
    assert file.began.wait(60)
    file.gate.set()
    thread.join(60)
    writer.close()
    assert file.lines == list(range(100))
    assert writer.lost == 0


def test_at_the_end_a_disk_that_takes_nothing_is_given_up(writer_of, errors, caplog):
    file = FakeFile(open_=False)
    writer = writer_of(file, patience_s=0.01)
    for number in range(5):
        writer(record(number))
    assert file.began.wait(60)
    writer.close()
    assert writer.lost == counted(errors) == 5
    assert not file.closed
    assert caplog.records[-1].getMessage() == "results: nothing takes them; 5 records are lost"


def test_at_the_end_the_reader_of_a_pipe_sets_the_pace_of_a_recording(writer_of):
    file = FakeFile(open_=False, on_disk=False)
    writer = writer_of(file, wait=True, patience_s=0.001)
    writer(record(0))
    thread = threading.Thread(target=writer.close)
    thread.start()
    assert file.began.wait(60)
    thread.join(0.05)
    assert thread.is_alive()
    file.gate.set()
    thread.join(60)
    assert file.lines == [0]


def test_records_after_the_end_are_lost(writer_of, errors):
    file = FakeFile()
    writer = writer_of(file)
    writer.close()
    writer(record(0))
    assert writer.lost == counted(errors) == 1
    writer.close()


@pytest.mark.parametrize("error", [BrokenPipeError(), RuntimeError("a bug")])
@pytest.mark.parametrize("wait", [False, True])
def test_the_next_call_and_the_end_raise_what_the_thread_met(writer_of, error, wait):
    file = FakeFile()
    file.failing = error
    writer = writer_of(file, wait=wait)
    writer(record(0))
    writer._thread.join(60)
    for call in (lambda: writer(record(1)), writer.close):
        with pytest.raises(type(error)):
            call()
    assert file.closed


def test_whoever_waits_for_room_is_told_as_well(writer_of, monkeypatch):
    monkeypatch.setattr(module, "_MAX_WAITING_BYTES", 1)
    file = FakeFile(open_=False)
    file.failing = BrokenPipeError()
    writer = writer_of(file, wait=True)
    caught = []

    def write():
        try:
            for number in range(5):
                writer(record(number))
        except BrokenPipeError as error:
            caught.append(error)

    thread = threading.Thread(target=write)
    thread.start()
    assert file.began.wait(60)
    file.gate.set()
    thread.join(60)
    assert len(caught) == 1
    with pytest.raises(BrokenPipeError):
        writer.close()


def test_a_real_pipe_whose_reader_has_gone_ends_the_run(errors, tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    file = JsonLines(str(path), append=False, errors=errors, what="results", wait=True)
    writer = RecordWriter({"camera": file}, errors, wait=True)
    os.close(reader)
    writer(record(0))
    with pytest.raises(BrokenPipeError):
        writer.close()
