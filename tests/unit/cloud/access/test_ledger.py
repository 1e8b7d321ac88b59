"""The lines of a cloud's decisions. What happens to their file is also tested in tests/unit/shared/observing/test_json_lines.py."""

from __future__ import annotations

import json
import os
import socket
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from kits.codecs import FINGERPRINT, changed, frame_of
from kits.several import frame_of_several, mixed

from cloud.access import ledger as module
from cloud.access.ledger import Entry, open_ledger
from cloud.config import CloudSettings
from cloud.metrics import CloudMetrics
from shared.codecs import NAMES
from shared.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from shared.observing.json_lines import JsonLines


@pytest.fixture
def metrics() -> CloudMetrics:
    return CloudMetrics()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.jsonl"


@pytest.fixture
def open_at(metrics: CloudMetrics) -> Iterator[Callable[..., JsonLines]]:
    opened = []

    def open_at(path: Path | str, **settings: int) -> JsonLines:
        opened.append(open_ledger(CloudSettings(ledger=str(path), **settings), metrics))
        assert opened[-1]
        return opened[-1]

    yield open_at
    for each in opened:
        each.close()


def errors(metrics: CloudMetrics) -> float | None:
    return metrics.registry.get_sample_value("splitdnn_cloud_ledger_errors_total")


def lines_of(path: Path) -> list[Any]:
    text = path.read_text(encoding="utf-8")
    assert text.endswith("\n")
    return [json.loads(line) for line in text.splitlines()]


# --- lines ------------------------------------------------------------------------------------------------------------


def test_a_decision_is_one_line_that_is_there_at_once(
    path: Path, open_at: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Clock(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            assert tz is UTC
            return datetime(2026, 2, 3, 4, 5, 6, 7_999, tzinfo=UTC)

    monkeypatch.setattr(module, "datetime", Clock)
    entry = Entry(open_at(path), "gate-3")
    entry.note(frame_of(NAMES["int8+zstd"], frame_id=0xC0FFEE, split_point='ü"\n'))
    entry.decide("answered")
    (line,) = lines_of(path)
    assert list(line) == ["frame_id", "outcome", "reason", "split_point", "codec", "client", "time"]
    assert line == {
        "frame_id": "0000000000c0ffee",
        "outcome": "answered",
        "reason": None,
        "split_point": 'ü"\n',
        "codec": "int8+zstd",
        "client": "gate-3",
        "time": "2026-02-03T04:05:06.007+00:00",
    }


def test_what_could_not_be_parsed_has_no_number_and_an_unknown_codec_no_name(
    path: Path, open_at: Any
) -> None:
    ledger = open_at(path)
    Entry(ledger, "192.0.2.7").decide("refused", "bad_frame")
    entry = Entry(ledger, "192.0.2.7")
    entry.note(frame_of(NAMES["float32"], codec_id=999, frame_id=2**64 - 1, fingerprint=FINGERPRINT))
    entry.decide("refused", "bad_codec")
    first, second = lines_of(path)
    assert (first["frame_id"], first["split_point"], first["codec"]) == (None, None, None)
    assert (second["frame_id"], second["split_point"], second["codec"]) == ("f" * 16, "layer3", None)
    assert [first["reason"], second["reason"]] == ["bad_frame", "bad_codec"]


def test_the_first_decision_counts(path: Path, open_at: Any) -> None:
    entry = Entry(open_at(path), "192.0.2.7")
    for outcome in ("abandoned", "answered", "refused"):
        entry.decide(outcome)
    assert [line["outcome"] for line in lines_of(path)] == ["abandoned"]


def test_without_a_ledger_a_frame_is_not_looked_at() -> None:
    entry = Entry(None, "192.0.2.7")
    entry.note(None)  # type: ignore[arg-type]
    entry.decide("answered")


def test_a_full_ledger_is_followed_by_another(path: Path, metrics: CloudMetrics, open_at: Any) -> None:
    ledger = open_at(path, ledger_max_bytes=1000, ledger_keep=2)
    for number in range(30):
        Entry(ledger, "192.0.2.7").decide("refused", str(number))
    ledger.close()
    complete = sorted(each for each in path.parent.iterdir() if each != path)
    assert len(complete) == 2, "and no more are kept"
    kept = [line["reason"] for each in (*complete, path) for line in lines_of(each)]
    assert kept == [str(number) for number in range(30 - len(kept), 30)], "the latest, in order"
    assert all(each.stat().st_size <= 1000 for each in (*complete, path))
    written = metrics.registry.get_sample_value("splitdnn_cloud_ledger_written_bytes_total")
    assert written is not None
    assert written > 1000


# --- the file ---------------------------------------------------------------------------------------------------------


def decide(ledger: JsonLines, *reasons: str) -> None:
    for reason in reasons:
        Entry(ledger, "192.0.2.7").decide("refused", reason)


def test_lines_are_added_to_those_that_are_there_even_behind_a_torn_one(path: Path, open_at: Any) -> None:
    path.write_text('{"reason":"0"}\n{"reason":"1","outc')
    decide(open_at(path), "2")
    decide(open_at(path), "3")
    lines = path.read_text().splitlines()
    assert lines[:2] == ['{"reason":"0"}', '{"reason":"1","outc']
    assert [json.loads(line)["reason"] for line in lines[2:]] == ["2", "3"]


def test_the_host_name_is_filled_in(tmp_path: Path, open_at: Any) -> None:
    open_at(tmp_path / "{hostname}.jsonl")
    assert [path.name for path in tmp_path.iterdir()] == [f"{socket.gethostname()}.jsonl"]


def test_a_path_that_cannot_be_opened_is_named(tmp_path: Path, open_at: Any) -> None:
    (tmp_path / "file").write_text("{}")
    cases = [
        ("none/l.jsonl", "No such file or directory"),
        ("", "Is a directory"),
        ("file/l.jsonl", "Not a directory"),
        ("x" * 300, "File name too long"),
    ]
    for name, text in cases:
        with pytest.raises(SettingsError) as caught:
            open_at(tmp_path / name)
        assert (
            str(caught.value)
            == f"ledger {tmp_path / name}: {text}; give --ledger a file in a writable folder"
        )


def test_a_file_that_is_no_ledger_is_left_alone(path: Path, open_at: Any) -> None:
    path.write_bytes(b"weights")
    with pytest.raises(SettingsError, match="holds no ledger; give --ledger another name"):
        open_at(path)
    assert path.read_bytes() == b"weights"


def test_a_full_disk_is_counted_for_every_line_and_logged_once(
    metrics: CloudMetrics, open_at: Any, caplog: pytest.LogCaptureFixture
) -> None:
    decide(open_at("/dev/full"), "0", "1", "2")
    assert errors(metrics) == 3
    (record,) = caplog.records
    assert record.getMessage() == (
        "ledger /dev/full: No space left on device; lines are lost until it can be written again"
    )


def test_a_pipe_that_nobody_reads_holds_nothing_up(path: Path, metrics: CloudMetrics, open_at: Any) -> None:
    os.mkfifo(path)
    decide(open_at(path), *["x" * 100] * 3000)
    assert errors(metrics) > 0


def test_standard_output_is_no_ledger(
    tmp_path: Path, open_at: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A reader of it that is slow would hold all frames up, so `-` is a file like any other."""
    monkeypatch.chdir(tmp_path)
    decide(open_at("-"), "0")
    assert capsys.readouterr().out == ""
    assert lines_of(tmp_path / "-")[0]["reason"] == "0"


def test_a_frame_of_several_tensors_is_one_line_with_the_codec_of_the_first(
    path: Path, open_at: Callable[[Path | str], JsonLines]
) -> None:
    frame = frame_of_several(NAMES["int8"])
    ledger = open_at(path)
    for sent in (frame, mixed(), changed(frame, 1, codec_id=999), changed(frame, 0, codec_id=999)):
        entry = Entry(ledger, "192.0.2.7")
        entry.note(sent)
        entry.decide("answered")
    found = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["codec"] for line in found] == ["int8", "float32", "int8", None]
    assert {(line["frame_id"], line["split_point"]) for line in found} == {("0000000000000007", "neck")}
