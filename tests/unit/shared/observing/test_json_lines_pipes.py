"""JSON lines to pipes and to standard output."""

from __future__ import annotations

import errno
import json
import os
import sys

import pytest
from kits.json_lines import count

from shared.observing.json_lines import STDOUT


def test_a_pipe_that_nobody_reads_holds_nothing_up(make, path, errors, caplog):
    os.mkfifo(path)
    lines = make(path)
    for number in range(3000):
        lines.write({"n": number, "filling": "x" * 100})
    assert lines.lost == count(errors) > 0
    (said,) = [record.getMessage().partition(": ")[2] for record in caplog.records]
    assert said.startswith(
        ("the pipe is full, as its reader does not keep up; ", "no room for a whole line; ")
    )


def test_a_pipe_that_is_waited_for_loses_nothing(make, path):
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    lines = make(path, wait=True)
    lines.write({"n": 0})
    assert os.read(reader, 100) == b'{"n":0}\n'
    os.close(reader)
    with pytest.raises(BrokenPipeError):
        lines.write({"n": 1})
    assert lines.lost == 0


def test_lines_on_standard_output_leave_it_open(make, capsys):
    lines = make(STDOUT, append=False)
    lines.write({"n": 4})
    lines.close()
    assert not sys.stdout.closed
    assert json.loads(capsys.readouterr().out) == {"n": 4}


def test_a_line_that_was_cut_off_on_standard_output_does_not_spoil_the_next(make, tmp_path, monkeypatch):
    with (tmp_path / "out").open("w") as out:
        monkeypatch.setattr(sys, "stdout", out)
        lines, write, left = make(STDOUT), os.write, [4]

        def full(descriptor, data):
            if not left:
                raise OSError(errno.ENOSPC, "No space left on device")
            return write(descriptor, data[: left.pop()])

        with monkeypatch.context() as patch:
            patch.setattr(os, "write", full)
            lines.write({"n": 0})
        lines.write({"n": 1})
    assert (tmp_path / "out").read_text() == '{"n"\n{"n":1}\n'
    assert lines.lost == 1


def test_a_reader_that_has_gone_ends_the_run(make, errors, monkeypatch):
    """Nobody would read the lines of the next ten hours."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w", buffering=1) as out:
        monkeypatch.setattr(sys, "stdout", out)
        with pytest.raises(BrokenPipeError):
            make(STDOUT).write({"n": 0})
        os.dup2(os.open(os.devnull, os.O_WRONLY), writer)  # as edge/__main__.py does
    assert count(errors) == 0
