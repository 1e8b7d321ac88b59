"""The file of JSON lines: whole lines, at once, beside others, and a caller that goes on whatever the disk does."""

from __future__ import annotations

import errno
import logging
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from kits.json_lines import count, lines_of

from shared.errors import SettingsError
from shared.observing.rotation import Rotation

ROOT = Path(__file__).resolve().parents[4]


def test_an_object_is_one_line_that_is_there_at_once(make, path):
    lines = make(path)
    odd = {"b": 'ü "x"\n', "a": [1, None, 0.5]}
    lines.write(odd)
    text = '{"b":"ü \\"x\\"\\n","a":[1,null,0.5]}\n'
    assert path.read_text(encoding="utf-8") == text, "in the order given, readable by people"
    assert lines_of(path) == [odd]


@pytest.mark.parametrize(("append", "kept"), [(False, [2]), (True, [0, 1, 2])])
def test_what_an_earlier_run_wrote_is_kept_or_replaced(make, path, append, kept):
    for number in range(3):
        lines = make(path, append=append)
        lines.write({"n": number})
        lines.close()
    assert [line["n"] for line in lines_of(path)] == kept


def test_two_writers_of_one_file_do_not_mix_their_lines(make, path):
    first, second = make(path), make(path)
    for number in range(0, 20, 2):
        first.write({"n": number})
        second.write({"n": number + 1})
    assert [line["n"] for line in lines_of(path)] == list(range(20))


def test_what_was_written_outlives_a_kill(path):
    script = (
        "import os, signal, sys\nfrom shared.observing.json_lines import JsonLines\n"
        "lines = JsonLines(sys.argv[1], append=True, errors=None, what='results')\n"
        "for n in range(100): lines.write({'n': n})\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", script, path], cwd=ROOT, timeout=120, check=False)
    assert done.returncode == -signal.SIGKILL
    assert lines_of(path) == [{"n": n} for n in range(100)]


def test_the_host_name_is_filled_in(make, tmp_path):
    make(tmp_path / "{hostname}.jsonl")
    assert [path.name for path in tmp_path.iterdir()] == [f"{socket.gethostname()}.jsonl"]


def test_what_other_hosts_have_left_goes_with_what_is_too_old(make, tmp_path):
    names = [
        "gate-1a2b.jsonl",
        "gate-1a2b-20261101T043000.123Z.jsonl",
        "yard-1a2b.jsonl",
        "1a2b.jsonl",
        "other.txt",
    ]
    for name in names:
        (tmp_path / name).write_text('{"n":0}\n')
        os.utime(tmp_path / name, (1e9, 1e9))
    lines = make(tmp_path / "{camera}-{hostname}.jsonl", camera="gate", rotation=Rotation(max_age_s=60))
    lines.write({"n": 1})
    lines.tend()
    assert {path.name for path in tmp_path.iterdir()} == {
        f"gate-{socket.gethostname()}.jsonl",
        "1a2b.jsonl",
        "other.txt",
    }


# --- a line that was cut off ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("torn", ['{"n":1,"answered_by":"clo', "{", '{"n":1}'])
def test_a_run_that_adds_to_a_torn_file_begins_on_a_line_of_its_own(make, path, torn):
    """An earlier run was killed in the middle of a record: that one is lost, the next must not be."""
    path.write_text('{"n":0}\n' + torn)
    lines = make(path)
    for number in (2, 3):
        lines.write({"n": number})
    assert path.read_text().splitlines() == ['{"n":0}', torn, '{"n":2}', '{"n":3}']


@pytest.mark.parametrize(("text", "said"), [('{"n":0}\n{"n"', 1), ('{"n":0}\n', 0), ("", 0)])
def test_a_torn_line_is_named_at_the_start(make, path, caplog, text, said):
    path.write_text(text)
    make(path)
    expected = f"results {path}: the last line was cut off, as by a power cut; it stays, on a line of its own"
    assert [record.getMessage() for record in caplog.records] == [expected] * said


def test_a_run_that_replaces_a_torn_file_leaves_no_empty_line(make, path):
    path.write_text('{"n":0}\n{"n"')
    make(path, append=False).write({"n": 1})
    assert path.read_text() == '{"n":1}\n'


def test_a_line_that_a_full_disk_cut_off_does_not_spoil_the_next(make, path, errors, monkeypatch):
    lines = make(path)
    write = os.write
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda file, data: write(file, data[:4]))
        lines.write({"n": 0})
    for number in (1, 2):
        lines.write({"n": number})
    assert path.read_text() == '{"n"\n{"n":1}\n{"n":2}\n'
    assert lines.lost == count(errors) == 1


def test_a_line_that_was_cut_off_again_and_again_does_not_either(make, path, monkeypatch):
    lines = make(path)
    write = os.write
    with monkeypatch.context() as patch:
        for taken in (3, 1, 4):  # 1: only the end of the line before
            patch.setattr(os, "write", lambda file, data, taken=taken: write(file, data[:taken]))
            lines.write({"n": 0})
    lines.write({"n": 1})
    assert path.read_text() == '{"n\n{"n"\n{"n":1}\n'
    assert lines.lost == 3


# --- a file that cannot be written ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("none/l.jsonl", "No such file or directory"),
        ("", "Is a directory"),
        ("file/l.jsonl", "Not a directory"),
        ("x" * 300, "File name too long"),
    ],
)
@pytest.mark.parametrize("wait", [False, True])
def test_a_path_that_cannot_be_opened_is_named(make, tmp_path, name, text, wait):
    (tmp_path / "file").write_text("{}")
    with pytest.raises(SettingsError) as caught:
        make(tmp_path / name, wait=wait)
    assert str(caught.value) == (
        f"results {tmp_path / name}: {text}; give --results a file in a writable folder"
    )


@pytest.mark.parametrize("append", [False, True])
def test_a_file_of_something_else_is_left_alone(make, path, append):
    path.write_bytes(b"\0\0\0\x20ftyp")
    path.with_name("link").symlink_to(path)
    for each in (path, path.with_name("link")):
        with pytest.raises(SettingsError, match="exists and holds no results; give --results another name"):
            make(each, append=append)
    assert path.read_bytes() == b"\0\0\0\x20ftyp"


def test_a_full_disk_is_counted_for_every_line_and_logged_once(make, errors, caplog):
    lines = make("/dev/full", append=False, lines="records")
    for number in range(50):
        lines.write({"n": number})
    assert lines.lost == count(errors) == 50
    (record,) = caplog.records
    assert record.getMessage() == (
        "results /dev/full: No space left on device; records are lost until it can be written again"
    )


def test_a_disk_that_has_room_again_is_written_to_again(make, path, errors, caplog, monkeypatch):
    lines = make(path)

    def fail(_file, _data):
        raise OSError(errno.EIO, "Input/output error")

    for turn in range(2):
        lines.write({"n": 4 * turn})
        with monkeypatch.context() as patch:
            patch.setattr(os, "write", fail)
            for number in (1, 2):
                lines.write({"n": 4 * turn + number})
        lines.write({"n": 4 * turn + 3})
    assert [line["n"] for line in lines_of(path)] == [0, 3, 4, 7], (
        "a line counted as lost does not come later"
    )
    assert lines.lost == count(errors) == 4
    said = [(record.levelno, record.getMessage().partition(": ")[2]) for record in caplog.records]
    lost = (logging.ERROR, "Input/output error; lines are lost until it can be written again")
    assert said == [lost, (logging.WARNING, "written again; 2 lines were lost")] * 2


def test_lines_after_the_end_are_lost_and_go_nowhere_else(make, path, capsys):
    lines = make(path)
    lines.close()
    lines.close()
    lines.write({"n": 0})
    assert lines.lost == 1
    assert path.read_text() == capsys.readouterr().out == ""


def at_fault(monkeypatch, path, number):
    """Opening this path fails."""
    real = os.open

    def fail(name, *arguments):
        if str(name) == str(path):
            raise OSError(number, os.strerror(number))
        return real(name, *arguments)

    monkeypatch.setattr(os, "open", fail)


def test_a_disk_at_fault_costs_lines_but_not_the_start(make, path, errors, caplog, monkeypatch):
    """A camera's frames are answered all the same."""
    for number in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.ESTALE):
        caplog.clear()
        before = count(errors)
        with monkeypatch.context() as patch:
            at_fault(patch, path, number)
            lines = make(path)
            lines.tend()
            for _ in range(3):
                lines.write({"n": 0})
        lines.write({"n": number})
        lines.close()
        assert lines.lost == count(errors) - before == 3, number
        assert lines_of(path)[-1] == {"n": number}
        said = [record.getMessage().partition(": ")[2] for record in caplog.records]
        assert said == [
            f"{os.strerror(number)}; lines are lost until it can be written again",
            "written again; 3 lines were lost",
        ]


def test_a_recording_is_not_begun_for_nothing(make, path, monkeypatch):
    at_fault(monkeypatch, path, errno.EROFS)
    with pytest.raises(SettingsError, match="Read-only file system; give --results a file in a writable"):
        make(path, append=False)
