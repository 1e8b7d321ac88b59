"""The spool's files: what is damaged in them is passed over, and counted."""

from __future__ import annotations

import errno
import json
import os

import pytest
from kits.events import TARGET, event_of, kill, lost, rest_of, spool_of, told


@pytest.fixture
def written(tmp_path):
    """A folder with ten events that no target has got."""
    spool = spool_of(tmp_path)
    spool.reader(TARGET)
    for number in range(1, 11):
        spool.append(event_of(number))
    spool.close()
    return tmp_path


def file_in(folder):
    [path] = folder.glob("events-*.jsonl")
    return path


def rest(folder):
    spool = spool_of(folder)
    reader = spool.reader(TARGET)
    found, gone, numbers = rest_of(reader), lost(spool), spool.numbers
    kill(spool)
    return found, gone, numbers


def test_every_line_is_json_for_people(written):
    head, *lines = map(json.loads, file_in(written).read_text().splitlines())
    assert head["numbers"] == []
    assert [each["position"] for each in lines] == list(range(1, 11))
    assert lines[3]["event"] == json.loads(event_of(4).json())


@pytest.mark.parametrize("at", ["first", "middle", "last"])
def test_a_damaged_line_is_passed_over_and_counted(written, at):
    data = bytearray(file_in(written).read_bytes())
    lines = data.split(b"\n")
    number = {"first": 1, "middle": 5, "last": 10}[at]
    place = sum(len(each) + 1 for each in lines[:number]) + 40
    data[place] ^= 1
    file_in(written).write_bytes(data)
    found, gone, _ = rest(written)
    assert found == [each for each in range(1, 11) if each != number]
    assert gone == ({"disk": 1} if at != "last" else {})


def test_a_file_cut_anywhere_gives_the_whole_lines_before_and_takes_more_after(written):
    whole = file_in(written).read_bytes()
    for size in range(0, len(whole), 37):
        for path in written.iterdir():
            if path.name.startswith("events-"):
                path.unlink()
        (written / "events-00000000000000000001.jsonl").write_bytes(whole[:size])
        complete = max(0, whole[:size].count(b"\n") - 1)
        spool = spool_of(written)
        reader = spool.reader(TARGET)
        number = spool.numbers.get("door", 0) + 1
        assert number == complete + 1
        spool.append(event_of(number))
        spool.work()
        entries = [reader.ready() for _ in range(number)]
        assert [each.event.number for each in entries] == list(range(1, number + 1))
        assert reader.ready() is None
        assert lost(spool) == {}
        kill(spool)


def test_zeros_that_a_power_cut_left_are_passed_over(written):
    with file_in(written).open("ab") as file:
        file.write(b"\0" * 300_000)
    found, gone, numbers = rest(written)
    assert found == list(range(1, 11))
    assert gone == {}
    assert numbers == {"door": 10}


def test_numbers_outlive_the_events(tmp_path):
    for life in range(3):
        spool = spool_of(tmp_path)
        assert spool.numbers == ({"door": 2000 * life} if life else {})
        reader = spool.reader(TARGET)
        for number in range(2000 * life + 1, 2000 * life + 2001):
            spool.append(event_of(number))
        spool.work()
        assert len(rest_of(reader)) == 2000
        spool.close()
    assert sum(each.stat().st_size for each in tmp_path.glob("events-*")) < 1 << 17


def test_other_files_in_the_folder_are_left_alone(written):
    (written / "events-notes.txt").write_text("mine")
    rest(written)
    assert (written / "events-notes.txt").read_text() == "mine"


@pytest.mark.parametrize("where", ["in between", "at the end"])
def test_a_segment_that_the_disk_does_not_give_any_more_is_passed_over_in_the_end(
    tmp_path, monkeypatch, caplog, where
):
    now = [0.0]
    spool = spool_of(tmp_path, 1 << 18, clock=lambda: now[0])
    reader = spool.reader(TARGET)
    for number in range(1, 301):
        spool.append(event_of(number))
        spool.work()
    segments, read = spool._segments, spool._segments._lines_at
    firsts = sorted(segments._sizes)
    assert len(firsts) > 2
    bad = firsts[1] if where == "in between" else firsts[-1]
    gone = set(range(firsts[1], firsts[2]) if where == "in between" else range(firsts[-1], 301))

    def lines_at(place, size):
        if (place.first, place.byte) == (bad, 0):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return read(place, size)

    monkeypatch.setattr(segments, "_lines_at", lines_at)
    found = []
    for second in range(700):
        now[0] = float(second)
        found += rest_of(reader)
        assert second >= 600 or found == list(range(1, bad)), "it may be given again"
    spool.append(event_of(301))
    spool.work()
    assert found + rest_of(reader) == [each for each in range(1, 302) if each not in gone]
    assert lost(spool) == {"disk": len(gone)}
    assert sum("read again" in each for each in told(caplog)) == 1
    kill(spool)
