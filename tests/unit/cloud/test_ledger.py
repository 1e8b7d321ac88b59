"""The file that a cloud's decisions go to: whole lines, at once, and frames that go on without it."""

from __future__ import annotations

import errno
import json
import logging
import os
import signal
import socket
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from kits.codecs import FINGERPRINT, frame_of

from cloud.ledger import Entry, Ledger
from cloud.metrics import CloudMetrics
from shared.codecs import NAMES
from shared.errors import SettingsError

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def metrics() -> CloudMetrics:
    return CloudMetrics()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.jsonl"


def open_ledger(path: Path | str, metrics: CloudMetrics) -> Ledger:
    return Ledger(str(path), metrics.ledger_errors)


def errors(metrics: CloudMetrics) -> float:
    return metrics.registry.get_sample_value("splitdnn_cloud_ledger_errors_total")


def lines_of(path: Path) -> list[Any]:
    text = path.read_text(encoding="utf-8")
    assert text.endswith("\n")
    return [json.loads(line) for line in text.splitlines()]


# --- lines ------------------------------------------------------------------------------------------------------------


def test_a_decision_is_one_line_that_is_there_at_once(path: Path, metrics: CloudMetrics) -> None:
    ledger = open_ledger(path, metrics)
    entry = Entry(ledger)
    entry.note(frame_of(NAMES["int8+zstd"], frame_id=0xC0FFEE, split_point='ü"\n'))
    entry.decide("answered")
    (line,) = lines_of(path)
    assert list(line) == ["frame_id", "outcome", "reason", "split_point", "codec", "time"]
    when = datetime.fromisoformat(line.pop("time"))
    assert when.utcoffset().total_seconds() == 0
    assert abs((datetime.now(UTC) - when).total_seconds()) < 60
    assert line == {
        "frame_id": "0000000000c0ffee",
        "outcome": "answered",
        "reason": None,
        "split_point": 'ü"\n',
        "codec": "int8+zstd",
    }


def test_what_could_not_be_parsed_has_no_number_and_an_unknown_codec_no_name(
    path: Path, metrics: CloudMetrics
) -> None:
    ledger = open_ledger(path, metrics)
    Entry(ledger).decide("refused", "bad_frame")
    entry = Entry(ledger)
    entry.note(frame_of(NAMES["float32"], codec_id=999, frame_id=2**64 - 1, fingerprint=FINGERPRINT))
    entry.decide("refused", "bad_codec")
    first, second = lines_of(path)
    assert (first["frame_id"], first["split_point"], first["codec"]) == (None, None, None)
    assert (second["frame_id"], second["split_point"], second["codec"]) == ("f" * 16, "layer3", None)
    assert [first["reason"], second["reason"]] == ["bad_frame", "bad_codec"]


def test_the_first_decision_counts(path: Path, metrics: CloudMetrics) -> None:
    entry = Entry(open_ledger(path, metrics))
    for outcome in ("abandoned", "answered", "refused"):
        entry.decide(outcome)
    assert [line["outcome"] for line in lines_of(path)] == ["abandoned"]


def test_without_a_ledger_nothing_is_looked_at() -> None:
    entry = Entry(None)
    entry.note(None)
    entry.decide("answered")


# --- the file ---------------------------------------------------------------------------------------------------------


def test_lines_are_added_to_those_that_are_there(path: Path, metrics: CloudMetrics) -> None:
    for number in range(3):
        open_ledger(path, metrics).add({"n": number})
    assert lines_of(path) == [{"n": 0}, {"n": 1}, {"n": 2}]


def test_the_torn_line_of_a_killed_process_does_not_swallow_the_next(
    path: Path, metrics: CloudMetrics
) -> None:
    path.write_text('{"n":0}\n{"n":1,"outc')
    ledger = open_ledger(path, metrics)
    for number in (2, 3):
        ledger.add({"n": number})
    assert path.read_text().splitlines() == ['{"n":0}', '{"n":1,"outc', '{"n":2}', '{"n":3}']


def test_what_was_added_outlives_a_kill(path: Path) -> None:
    script = (
        "import os, signal, sys\nfrom cloud.ledger import Ledger\nfrom prometheus_client import Counter\n"
        "ledger = Ledger(sys.argv[1], Counter('a', 'b'))\n"
        "for n in range(100): ledger.add({'n': n})\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", script, path], cwd=ROOT, timeout=120, check=False)
    assert done.returncode == -signal.SIGKILL
    assert lines_of(path) == [{"n": n} for n in range(100)]


def test_the_host_name_is_filled_in(tmp_path: Path, metrics: CloudMetrics) -> None:
    open_ledger(tmp_path / "{hostname}.jsonl", metrics)
    assert [path.name for path in tmp_path.iterdir()] == [f"{socket.gethostname()}.jsonl"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("none/l.jsonl", "No such file or directory"),
        ("", "Is a directory"),
        ("file/l.jsonl", "Not a directory"),
        ("x" * 300, "File name too long"),
    ],
)
def test_a_path_that_cannot_be_opened_is_named(
    name: str, text: str, tmp_path: Path, metrics: CloudMetrics
) -> None:
    (tmp_path / "file").write_text("{}")
    with pytest.raises(SettingsError) as caught:
        open_ledger(tmp_path / name, metrics)
    assert str(caught.value) == f"ledger {tmp_path / name}: {text}; give --ledger a file in a writable folder"


def test_a_file_that_is_no_ledger_is_left_alone(path: Path, metrics: CloudMetrics) -> None:
    path.write_bytes(b"weights")
    with pytest.raises(SettingsError, match="holds no ledger; give --ledger another name"):
        open_ledger(path, metrics)
    assert path.read_bytes() == b"weights"


# --- a disk that is full ----------------------------------------------------------------------------------------------


def test_a_full_disk_is_counted_for_every_line_and_logged_once(
    metrics: CloudMetrics, caplog: pytest.LogCaptureFixture
) -> None:
    ledger = open_ledger("/dev/full", metrics)
    for number in range(3):
        ledger.add({"n": number})
    assert errors(metrics) == 3
    (record,) = caplog.records
    assert record.getMessage() == (
        "ledger /dev/full: No space left on device; lines are lost until it can be written again"
    )


def test_when_it_works_again_that_is_logged_once_too(
    path: Path, metrics: CloudMetrics, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = open_ledger(path, metrics)

    def fail(_file: int, _data: bytes) -> int:
        raise OSError(errno.EIO, "Input/output error")

    for turn in range(2):
        ledger.add({"n": 4 * turn})
        with monkeypatch.context() as patch:
            patch.setattr(os, "write", fail)
            for number in (1, 2):
                ledger.add({"n": 4 * turn + number})
        ledger.add({"n": 4 * turn + 3})
    assert [line["n"] for line in lines_of(path)] == [0, 3, 4, 7]
    assert errors(metrics) == 4
    said = [(record.levelno, record.getMessage().partition(": ")[2]) for record in caplog.records]
    assert (
        said
        == [
            (logging.ERROR, "Input/output error; lines are lost until it can be written again"),
            (logging.WARNING, "written again; 2 lines were lost"),
        ]
        * 2
    )


def test_a_line_that_was_cut_off_does_not_swallow_the_next(
    path: Path, metrics: CloudMetrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = open_ledger(path, metrics)
    write = os.write
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda file, data: write(file, data[:4]))
        ledger.add({"n": 0})
    ledger.add({"n": 1})
    ledger.add({"n": 2})
    assert path.read_text() == '{"n"\n{"n":1}\n{"n":2}\n'
    assert errors(metrics) == 1


def test_a_pipe_that_nobody_reads_holds_nothing_up(tmp_path: Path, metrics: CloudMetrics) -> None:
    os.mkfifo(tmp_path / "pipe")
    ledger = open_ledger(tmp_path / "pipe", metrics)
    for number in range(3000):
        ledger.add({"n": number, "filling": "x" * 100})
    assert errors(metrics) > 0
