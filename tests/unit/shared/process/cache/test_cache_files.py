"""File entries of the disk cache: JSON values and bytes, verified when they are loaded."""

from __future__ import annotations

import os
import tracemalloc
from typing import TYPE_CHECKING

from kits.cache import name, warnings

from shared.process.cache.folder import Cache, key_of

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

SURVEY = name(kind="survey")


def test_a_value_is_loaded_until_there_is_another(cache: Cache, folder: Path) -> None:
    assert cache.load_json(SURVEY) is None
    for value in ({"x": [1.5, None]}, [], "openvino/bfloat16", "torch/float32", "openvino/bfloat16"):
        cache.store_json(SURVEY, value)
        assert cache.load_json(SURVEY) == Cache(str(folder)).load_json(SURVEY) == value
        (path,) = folder.iterdir()
        assert path.name.startswith(f"{SURVEY}-")
        assert path.suffix == ".json"
    assert cache.load_json(name(1, kind="survey")) is None


def test_bytes_are_loaded_as_they_were_stored(cache: Cache, folder: Path) -> None:
    profile = name(kind="profile") + ".safetensors"
    assert cache.load_file(profile) is None
    for data in (b"", b"\x00\xff" * 5000):
        cache.store_file(profile, data)
        assert cache.load_file(profile) == data
        (path,) = folder.iterdir()
        assert path.read_bytes() == data
        assert path.suffix == ".safetensors"


def test_a_damaged_file_is_as_good_as_none_and_removed(
    cache: Cache, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for damage in (b"", b"{", b"[" * 100_000, b"\xff", b"[1, 3]", b'"torch/float32"', b"[1, 2] "):
        cache.store_json(SURVEY, [1, 2])
        (path,) = folder.iterdir()
        path.write_bytes(damage)
        assert cache.load_json(SURVEY) is None, damage[:20]
        assert list(folder.iterdir()) == [], damage[:20]
    cache.store_file(f"{SURVEY}.json", b"[" * 100_000)  # not damaged, but no JSON either
    assert cache.load_json(SURVEY) is None
    assert not warnings(caplog)


def test_no_more_of_a_file_is_read_than_can_have_been_stored(cache: Cache, folder: Path) -> None:
    cache.store_json(SURVEY, "openvino/bfloat16")
    (path,) = folder.iterdir()
    with path.open("wb") as file:
        file.truncate(1 << 30)  # a gigabyte of nothing
    tracemalloc.start()
    try:
        assert cache.load_json(SURVEY) is None
        assert tracemalloc.get_traced_memory()[1] < 100 << 20
    finally:
        tracemalloc.stop()


def test_a_folder_in_the_place_of_a_file_is_left_alone(
    cache: Cache, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cache.store_json(SURVEY, 1)
    (path,) = folder.iterdir()
    path.unlink()
    (path / "inside").mkdir(parents=True)
    assert cache.load_json(SURVEY) is None
    cache.store_json(SURVEY, 1)
    assert cache.load_json(SURVEY) is None
    (warning,) = warnings(caplog)
    assert f"cannot keep {SURVEY}.json in {folder}: " in warning
    assert list(folder.rglob("*")) == [path, path / "inside"]


def test_of_two_values_left_by_a_killed_process_the_newer_one_counts(cache: Cache, folder: Path) -> None:
    cache.store_json(SURVEY, "old")
    (path,) = folder.iterdir()
    old = path.read_bytes()
    cache.store_json(SURVEY, "new")
    path.write_bytes(old)
    os.utime(path, (1000, 1000))
    assert cache.load_json(SURVEY) == "new"
    cache.store_json(SURVEY, "newest")
    assert cache.load_json(SURVEY) == "newest"
    assert len(list(folder.iterdir())) == 1


def test_a_key_depends_on_every_value_and_on_where_one_ends() -> None:
    assert key_of("a", "b") == key_of("a", "b")
    assert len({key_of("a", "b"), key_of("b", "a"), key_of("ab"), key_of("a", "b", "")}) == 4


def test_a_value_that_another_process_replaces_meanwhile_is_loaded(
    cache: Cache, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.store_json(SURVEY, "old")
    other, listed = Cache(str(folder)), cache._versions

    def replaced_after_the_listing(wanted: str) -> list[Path]:
        found = list(listed(wanted))
        monkeypatch.undo()
        other.store_json(SURVEY, "new")
        return found

    monkeypatch.setattr(cache, "_versions", replaced_after_the_listing)
    assert cache.load_json(SURVEY) == "new"
