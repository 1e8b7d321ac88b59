"""Small results in the cache folder: whole or not at all, and never the reason of a failure."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

import shared.process.cache as module
from shared.process.cache import keep, key_of, machine, recall

if TYPE_CHECKING:
    from pathlib import Path


def test_what_is_kept_is_recalled_and_replaced(tmp_path: Path) -> None:
    folder = str(tmp_path / "new" / "folder")
    assert recall(folder, "a") is None
    keep(folder, "a", {"x": [1.5, None]})
    assert recall(folder, "a") == {"x": [1.5, None]}
    keep(folder, "a", [])
    assert recall(folder, "a") == []
    assert [path.name for path in (tmp_path / "new" / "folder").iterdir()] == ["a.json"]


def test_without_a_folder_nothing_is_kept() -> None:
    keep("", "a", 1)
    assert recall("", "a") is None


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, "\xff"])
def test_what_is_damaged_is_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.json").write_bytes(text.encode("latin-1"))
    assert recall(str(tmp_path), "a") is None


def test_a_folder_that_cannot_be_written_costs_a_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    with caplog.at_level(logging.WARNING):
        keep(str(tmp_path / "file"), "a", 1)
    assert "cannot keep a.json" in caplog.text


def test_a_name_that_is_taken_leaves_nothing_behind(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "a.json" / "inside").mkdir(parents=True)
    keep(str(tmp_path), "a", 1)
    assert "cannot keep" in caplog.text
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


def test_a_key_depends_on_every_part_and_on_their_borders() -> None:
    assert key_of("a", "b") == key_of("a", "b")
    assert len({key_of("a", "b"), key_of("b", "a"), key_of("ab"), key_of("a", "b", "")}) == 4


def test_the_machine_is_named_as_far_as_it_is_known(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "cpuinfo").write_text("processor : 0\nmodel name\t: Some CPU: 3 GHz\nmodel name : Another\n")
    monkeypatch.setattr(module.platform, "machine", lambda: "sparc")
    monkeypatch.setattr(module, "available_cores", lambda: 3)
    for path, name in ((tmp_path / "cpuinfo", "Some CPU: 3 GHz"), (tmp_path / "none", "")):
        monkeypatch.setattr(module, "_CPU_INFO", path)
        assert machine() == f"sparc, {name}, 3 cores"
