"""Complete files: their names, which of them are kept, and for how long."""

from __future__ import annotations

import fcntl
import os
import re
from datetime import UTC, datetime

import pytest

from shared.observing import rotation as module
from shared.observing.rotation import Rotation, alone, complete, remove_abandoned, remove_old

NAME = re.compile(r"out-\d{8}T\d{6}\.\d{3}Z\.jsonl")


def at(monkeypatch, *times):
    """The clock shows these times, one after another; then the last one for ever."""
    left = [datetime(2026, 11, 29, 4, 30, 0, int(1000 * each), tzinfo=UTC) for each in times]

    class Clock(datetime):
        @classmethod
        def now(cls, tz=None):
            assert tz is UTC
            return left.pop(0) if len(left) > 1 else left[0]

    monkeypatch.setattr(module, "datetime", Clock)


def completed(path, text="x"):
    path.write_text(text)
    return complete(path)


def test_a_complete_file_is_named_by_its_time_and_keeps_its_suffix(tmp_path, monkeypatch):
    at(monkeypatch, 123)
    for name, expected in (
        ("out.jsonl", "out-20261129T043000.123Z.jsonl"),
        ("out", "out-20261129T043000.123Z"),
        ("cam.1.jsonl", "cam.1-20261129T043000.123Z.jsonl"),
        (".hidden", ".hidden-20261129T043000.123Z"),
    ):
        path = tmp_path / name
        assert completed(path, name) == path.with_name(expected)
        assert path.with_name(expected).read_text() == name
        assert not path.exists()


def test_names_sort_by_time_even_if_the_clock_stands_or_is_set_back(tmp_path, monkeypatch):
    at(monkeypatch, 500, 500, 500, 100, 501, 900)
    made = [completed(tmp_path / "out.jsonl", str(number)) for number in range(6)]
    assert all(NAME.fullmatch(each.name) for each in made)
    assert sorted(each.name for each in made) == [each.name for each in made]
    assert [each.read_text() for each in made] == list("012345"), "none was overwritten"


def test_the_newest_are_kept_and_nothing_else_is_touched(tmp_path):
    made = [completed(tmp_path / "out.jsonl", "x" * (number + 1)) for number in range(5)]
    others = [
        *("out.jsonl", "out.jsonl.1", "out-20261129T043000.123Z.csv", "about-20261129T043000.123Z.jsonl"),
        *("out-20261129T043000.jsonl", "out-x.jsonl", "xout-20261129T043000.123Z.jsonl"),
    ]
    for name in others:
        (tmp_path / name).write_text("mine")
    removed = remove_old(tmp_path / "out.jsonl", Rotation(max_bytes=1, keep=2))
    assert {path.name for path in tmp_path.iterdir()} == {*others, *(path.name for path in made[-2:])}
    assert (removed.files, removed.size, removed.kept) == (3, 6, 9)


def test_those_that_are_too_old_go_however_few_they_are(tmp_path):
    made = [completed(tmp_path / "out.jsonl") for _ in range(3)]
    for each, days in zip(made, (9, 8.1, 7.9), strict=True):
        seconds = datetime.now(UTC).timestamp() - 86400 * days
        os.utime(each, (seconds, seconds))
    remove_old(tmp_path / "out.jsonl", Rotation(max_age_s=86400, keep=8))
    assert [each.exists() for each in made] == [False, False, True]
    remove_old(tmp_path / "out.jsonl", Rotation(max_bytes=1, keep=8))
    assert made[2].exists(), "without a limit of age, none is too old"


def test_without_limits_nothing_is_removed(tmp_path):
    for _ in range(5):
        completed(tmp_path / "out.jsonl", "xx")
    assert remove_old(tmp_path / "out.jsonl", Rotation(keep=1)).kept == 10
    assert len(list(tmp_path.iterdir())) == 5


def test_what_others_have_left_goes_when_it_is_old(tmp_path):
    """Containers that were made anew have other host names, and nobody else would remove what the old ones wrote."""
    family, rotation = re.compile(r"[\w.-]+\.jsonl"), Rotation(max_age_s=86400, keep=7)
    left = ["1a2b.jsonl", "1a2b-20261101T043000.123Z.jsonl", "1a2b-3.jsonl"]
    stays = ["empty.jsonl", "young.jsonl", "mine.csv", "notes.jsonl", "written.jsonl"]
    for name in [*left, *stays]:
        (tmp_path / name).write_text("" if name == "empty.jsonl" else '{"frame":1}\n')
        days = 6.9 if name == "young.jsonl" else 7.1
        seconds = datetime.now(UTC).timestamp() - 86400 * days
        if name == "notes.jsonl":
            (tmp_path / name).write_text('{"other":"lines"}\n')
        os.utime(tmp_path / name, (seconds, seconds))
    (tmp_path / "folder.jsonl").mkdir()
    (tmp_path / "link.jsonl").symlink_to("mine.csv")
    with (tmp_path / "written.jsonl").open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        unlimited = remove_abandoned(tmp_path, Rotation(max_bytes=1), family, b'{"frame":')
        removed = remove_abandoned(tmp_path, rotation, family, b'{"frame":')
    assert (unlimited.files, removed.files, removed.size) == (0, 3, 36)
    assert {path.name for path in tmp_path.iterdir()} == {*stays, "folder.jsonl", "link.jsonl"}


@pytest.mark.parametrize(
    ("rotation", "size", "more", "age_s", "due"),
    [
        (Rotation(), 10**12, 10**6, 10**9, False),
        (Rotation(max_bytes=100), 60, 40, 0, False),
        (Rotation(max_bytes=100), 60, 41, 0, True),
        (Rotation(max_bytes=100), 0, 500, 0, False),  # a line longer than a file may be
        (Rotation(max_age_s=60), 1, 1, 59.9, False),
        (Rotation(max_age_s=60), 1, 0, 60, True),
        (Rotation(max_age_s=60), 0, 1, 600, False),  # no empty file is ever complete
    ],
)
def test_when_a_file_is_complete(rotation, size, more, age_s, due):
    assert rotation.due(size, more, age_s) is due


def test_one_process_at_a_time_completes_files(tmp_path):
    with alone(tmp_path / "out.jsonl") as first, alone(tmp_path / "other.jsonl") as second:
        assert (first, second) == (True, False)
    with alone(tmp_path / "out.jsonl") as later:
        assert later


def test_where_there_are_no_locks_it_goes_without(tmp_path, monkeypatch):
    def refuse(_file, _how):
        raise OSError(37, "No locks available")

    monkeypatch.setattr(module.fcntl, "flock", refuse)
    with alone(tmp_path / "out.jsonl") as mine:
        assert mine
