"""How much the disk cache keeps, and what it never touches."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from kits.cache import name, warnings, write

from shared.process.cache import folder as module

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from shared.process.cache.folder import Cache


def used(path: Path, seconds: float) -> None:
    os.utime(path, (seconds, seconds))


def test_the_least_recently_used_folder_goes_first(
    cache: Cache, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    most = module._MAX_ENTRIES["bundle"]
    assert most == 8
    entries = []
    for number in range(most):
        entries.append(cache.store_folder(name(number), write))
        used(entries[-1], 1000 + number)
    assert cache.load_folder(name(0)) == entries[0]  # used again
    entries.append(cache.store_folder(name(most), write))
    assert sorted(folder.iterdir()) == sorted({*entries} - {entries[1]})
    assert cache.load_folder(name(1)) is None
    entries.append(cache.store_folder(name(most + 1), write))
    assert not entries[2].exists()
    assert all(entries[number].exists() for number in (0, 3, most, most + 1))
    assert not warnings(caplog)


def test_converted_networks_of_earlier_versions_go_as_bundles_come(cache: Cache, folder: Path) -> None:
    folder.mkdir(parents=True)
    for number in range(3):
        (folder / name(number, "network")).mkdir()
        used(folder / name(number, "network"), 1000 + number)
    for number in range(module._MAX_ENTRIES["bundle"] - 1):
        cache.store_folder(name(number), write)
    assert sorted(path.name for path in folder.iterdir() if path.name.startswith("network")) == [
        name(2, "network")
    ]
    cache.store_folder(name(99), write)
    assert not (folder / name(2, "network")).exists()


def test_an_entry_just_stored_stays_though_the_clock_was_set_back(cache: Cache) -> None:
    for number in range(module._MAX_ENTRIES["bundle"]):
        used(cache.store_folder(name(number), write), time.time() + 1000 + number)
    assert cache.store_folder(name(99), write) == cache.load_folder(name(99)) is not None
    assert cache.load_folder(name(0)) is None


def test_files_are_bounded_by_kind(cache: Cache, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert module._MAX_SMALL_ENTRIES == 256
    assert module._MAX_ENTRIES["profile"] == 32
    monkeypatch.setattr(module, "_MAX_SMALL_ENTRIES", 6)
    monkeypatch.setitem(module._MAX_ENTRIES, "profile", 2)
    for number in range(9):
        cache.store_json(name(number, "choice"), f"line {number}")
        cache.store_json(name(number, "tail-times"), number)
        cache.store_file(name(number, "profile") + ".safetensors", b"%d" % number)
        for path in folder.iterdir():
            if name(number, "") in path.name:
                used(path, 1000 + number)
    assert cache.load_json(name(3, "choice")) == "line 3"  # used again
    cache.store_json(name(99, "choice"), "the last")
    kept = [number for number in (*range(9), 99) if cache.load_json(name(number, "choice")) is not None]
    assert kept == [3, 5, 6, 7, 8, 99]
    assert [number for number in range(9) if cache.load_json(name(number, "tail-times"))] == [
        3,
        4,
        5,
        6,
        7,
        8,
    ]
    files = [cache.load_file(name(number, "profile") + ".safetensors") for number in range(9)]
    assert files == [None] * 7 + [b"7", b"8"]
    assert len(list(folder.iterdir())) == 14


def test_files_of_earlier_versions_are_counted(
    cache: Cache, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They have no digest in their names, are not loaded, and go first."""
    monkeypatch.setattr(module, "_MAX_SMALL_ENTRIES", 2)
    folder.mkdir(parents=True)
    (folder / f"{name(0, 'survey')}.json").write_text("[1]")
    used(folder / f"{name(0, 'survey')}.json", 1000)
    assert cache.load_json(name(0, "survey")) is None
    for number in (1, 2):
        cache.store_json(name(number, "survey"), number)
    assert [cache.load_json(name(number, "survey")) for number in range(3)] == [None, 1, 2]
    assert len(list(folder.iterdir())) == 2


def test_nothing_else_in_the_folder_is_ever_touched(
    cache: Cache, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be any folder: a user's own, by mistake."""
    monkeypatch.setattr(module, "_MAX_SMALL_ENTRIES", 5)
    folder.mkdir(parents=True)
    for number in range(20):
        for stem in (
            "network-drawings",
            "network-2024",
            "bundle-of-joy",
            "bundles",
            "choice-of-music",
            "choices",
            "notes",
        ):
            path = folder / f"{stem}{number}"
            path.mkdir()
            (path / "important.txt").write_text("kept")
        for stem in ("network-notes", "choice-notes", "thesis", "about"):
            (folder / f"{stem}{number}.txt").write_text("kept")
            (folder / f"{stem}{number}.json").write_text("kept")
    for path in list(folder.rglob("*")):
        used(path, 1000)
    before = {path: path.stat().st_mtime for path in folder.rglob("*")}
    for number in range(module._MAX_ENTRIES["bundle"] + 3):
        assert cache.store_folder(name(number), write)
    for number in range(module._MAX_SMALL_ENTRIES + 3):
        cache.store_json(name(number, "choice"), "torch/float32")
    assert {path for path in before if not path.exists()} == set()
    assert {path: path.stat().st_mtime for path in before} == before


def test_what_a_killed_process_left_unfinished_goes_after_an_hour(cache: Cache, folder: Path) -> None:
    """A younger one may still be written by another process."""
    for store in (
        lambda: cache.store_folder(name(), write),
        lambda: cache.store_json(name(kind="choice"), "torch/float32"),
    ):
        lock = folder / f".lock-{name()}"
        folder.mkdir(parents=True, exist_ok=True)
        lock.touch()
        used(lock, time.time() - 3601)
        old, young = folder / ".making-old", folder / ".making-young"
        for unfinished in (old, young):
            unfinished.mkdir(parents=True, exist_ok=True)
            (unfinished / "network.bin").write_bytes(b"half")
        used(old, time.time() - 3601)
        store()
        assert not old.exists()
        assert not lock.exists()
        assert young.exists()
