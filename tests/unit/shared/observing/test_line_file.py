"""A file that others move, cut, remove and write to."""

from __future__ import annotations

import errno
import logging
import os

import pytest
from kits.json_lines import lines_of
from kits.line_file import line

from shared.observing import line_file as module
from shared.observing.line_file import TakenError, set_aside

# --- moved by others --------------------------------------------------------------------------------------------------


def test_a_file_that_is_renamed_or_removed_is_begun_anew(kit, path, caplog):
    """As logrotate does, with `create` and without, and as people do."""
    caplog.set_level(logging.INFO)
    file = kit.open()
    for number, move in enumerate((path.unlink, lambda: path.rename(path.with_name("out.jsonl.1")))):
        file.write(line(2 * number))
        move()
        file.write(line(2 * number + 1))
        assert kit.numbers() == [2 * number + 1]
    assert lines_of(path.with_name("out.jsonl.1"))[-1] == {"n": 2}
    path.rename(path.with_name("out.jsonl.2"))
    path.touch()
    file.write(line(4))
    assert kit.numbers() == [4]
    said = [record.getMessage() for record in caplog.records]
    assert said == [f"results {path}: it was moved or removed, and is begun anew"] * 3


def test_a_file_that_is_cut_is_added_to_from_its_new_end(kit, path):
    """As by logrotate's `copytruncate`: no hole of zeros remains."""
    file = kit.open()
    for number in range(3):
        file.write(line(number))
    os.truncate(path, 0)
    file.write(line(3))
    assert path.read_bytes() == line(3)
    os.truncate(path, 4)
    file.write(line(4))
    assert path.read_bytes() == line(3)[:4] + b"\n" + line(4)


def test_a_folder_that_goes_away_is_not_made_anew_but_found_again(kit, tmp_path):
    kit.path = tmp_path / "disk" / "out.jsonl"
    kit.path.parent.mkdir()
    file = kit.open()
    file.write(line(0))
    kit.path.parent.rename(tmp_path / "away")
    for _ in range(2):
        with pytest.raises(FileNotFoundError):
            file.write(line(1))
    assert not kit.path.parent.exists(), "what is no longer mounted must not fill another disk"
    (tmp_path / "away").rename(kit.path.parent)
    file.write(line(2))
    assert kit.numbers() == [0, 2]


def test_another_file_of_its_name_must_hold_lines_as_well(kit, path):
    file = kit.open()
    file.write(line(0))
    path.rename(path.with_name("old"))
    path.write_bytes(b"PK\x03\x04")
    with pytest.raises(TakenError, match="this file exists and holds no results"):
        file.write(line(1))
    assert path.read_bytes() == b"PK\x03\x04"


def test_after_an_error_it_is_opened_again(kit, path, monkeypatch):
    """A file handle of a network's disk may be stale for ever."""
    file = kit.open()
    file.write(line(0))
    stale, real = file._file, os.write

    def write(descriptor, data):
        if descriptor == stale:
            raise OSError(errno.ESTALE, "Stale file handle")
        return real(descriptor, data)

    monkeypatch.setattr(module.os, "write", write)
    monkeypatch.setattr(module.os, "close", lambda descriptor: descriptor)  # or the new one had its number
    with pytest.raises(OSError, match="Stale"):
        file.write(line(1))
    file.write(line(2))
    monkeypatch.undo()
    os.close(stale)
    assert kit.numbers() == [0, 2]


# --- whose it is ------------------------------------------------------------------------------------------------------


def test_a_file_that_another_writes_is_not_replaced(kit, path):
    other = kit.open()
    other.write(line(0))
    with pytest.raises(TakenError, match="another process writes to this file"):
        kit.open(append=False)
    kit.open().write(line(1))
    assert kit.numbers() == [0, 1]
    for file in kit.files:
        file.close()
    kit.open(append=False)
    assert path.read_bytes() == b""


def test_what_a_power_cut_left_is_ours(kit, path):
    lines = line(0) + line(1)
    for left in (lines + bytes(4096), bytes(4096), bytes(100) + lines, lines[:-5], b"{", b"\n" + lines):
        path.write_bytes(left)
        file = kit.open()
        file.write(line(2))
        file.close()
        assert path.read_bytes().removeprefix(left) in (line(2), b"\n" + line(2)), left
        assert path.read_bytes().splitlines()[-1] + b"\n" == line(2), left


def test_what_is_not_ours_is_neither_written_nor_moved(kit, path):
    for content in (b"\0\0\0\x20ftypisom", b"[1]\n", b"{\n  1", bytes(2 << 20), b"a,b\n1,2\n"):
        path.write_bytes(content)
        for append in (False, True):
            with pytest.raises(TakenError):
                kit.open(append=append)
        set_aside(path, "results")
        assert path.read_bytes() == content


# --- set aside --------------------------------------------------------------------------------------------------------


def test_what_an_earlier_run_left_is_set_aside_whole(kit, path, caplog):
    path.write_bytes(line(0))
    set_aside(path, "results")
    (aside,) = kit.complete()
    assert (path.exists(), aside.read_bytes()) == (False, line(0))
    assert [record.getMessage() for record in caplog.records] == [
        f"results {path}: what it held is of an earlier run, and now in {aside}"
    ]
    set_aside(path, "results")
    path.touch()
    set_aside(path, "results")
    assert kit.complete() == [aside], "there was nothing"


def test_what_is_being_written_is_not_set_aside(kit, path, caplog):
    kit.open().write(line(0))
    set_aside(path, "results")
    assert kit.numbers() == [0]
    assert "what it holds is of an earlier run (" in caplog.text
