"""A bundle's folder is complete or absent, and the one that it replaced is kept."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

import pytest
from kits.numpy_network import int8_entry, write_bundle

from shared.bundling.folder import check_target, go_back, replacing
from shared.errors import ModelError
from shared.network.bundle import fingerprint_in, float_beside, float_of, previous_of, read_bundle
from shared.network.manifest import MANIFEST

if TYPE_CHECKING:
    from pathlib import Path


def _write(folder: Path, text: str) -> None:
    with replacing(folder) as making:
        (making / MANIFEST).write_text(text)


def _read(folder: Path) -> str:
    return (folder / MANIFEST).read_text()


def test_a_new_one_takes_its_place_and_the_old_one_is_kept(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "net"
    for text in ("one", "two", "three"):
        _write(folder, text)
    assert (_read(folder), _read(folder.with_name("net.previous"))) == ("three", "two")
    assert sorted(entry.name for entry in folder.parent.iterdir()) == ["net", "net.previous"]
    assert folder.stat().st_mode & 0o777 == 0o755


def test_an_empty_folder_is_a_new_one(tmp_path: Path) -> None:
    (tmp_path / "net").mkdir()
    _write(tmp_path / "net", "one")
    assert [entry.name for entry in tmp_path.iterdir()] == ["net"]


def test_back_swaps_the_two(tmp_path: Path) -> None:
    folder = tmp_path / "net"
    _write(folder, "one")
    with pytest.raises(ModelError, match=r"net.previous: no bundle"):
        go_back(folder)
    assert _read(folder) == "one"
    _write(folder, "two")
    go_back(folder)
    assert (_read(folder), _read(folder.with_name("net.previous"))) == ("one", "two")
    go_back(folder)
    assert _read(folder) == "two"


def test_back_brings_the_float32_bundle_of_an_int8_one_as_well(tmp_path: Path) -> None:
    folder = tmp_path / "net"
    beside = float_of(folder)

    def made(number: int) -> None:
        """As `make_int8_beside` does it: of an int8 network with this fingerprint and its float32 one, 100 more."""
        with replacing(beside) as making:
            write_bundle(making, bytes([100 + number] * 8))
        with replacing(folder) as making:
            entry = int8_entry(bytes([100 + number] * 8).hex())
            write_bundle(making, bytes([number] * 8), precision="int8", int8=entry)

    def found() -> list[int | None]:
        places = folder, beside, previous_of(folder), previous_of(beside)
        return [int(text[:2], 16) if (text := fingerprint_in(place)) else None for place in places]

    made(1)
    made(2)
    assert found() == [2, 102, 1, 101]
    for expected in ([1, 101, 2, 102], [2, 102, 1, 101]):
        go_back(folder)
        assert found() == expected
        assert float_beside(read_bundle(folder)) == beside
    with replacing(folder) as making:  # a network that int8 hurts: its float32 bundle lies in its place
        write_bundle(making, bytes([3] * 8))
    beside.rename(previous_of(tmp_path / "other"))
    previous_of(beside).rename(tmp_path / "another")
    previous_of(tmp_path / "other").rename(previous_of(beside))
    assert found() == [3, None, 2, 102]
    go_back(folder)
    assert found() == [2, 102, 3, None]
    go_back(folder)
    assert found() == [3, 102, 2, None]
    assert not [entry.name for entry in tmp_path.iterdir() if entry.name.endswith("-back")]


def test_a_failure_leaves_nothing_and_keeps_what_was_there(tmp_path: Path) -> None:
    folder = tmp_path / "net"
    _write(folder, "one")
    for error, message in (
        (OSError(errno.ENOSPC, "No space left on device"), "cannot be written: No space left on device"),
        (ModelError("differs"), "differs"),
    ):
        with pytest.raises(ModelError, match=message), replacing(folder) as making:
            (making / "network.bin").write_bytes(b"half")
            raise error
        assert _read(folder) == "one"
        assert [entry.name for entry in tmp_path.iterdir()] == ["net"]


def test_other_peoples_folders_are_refused(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "a.jpg").touch()
    half = tmp_path / "half"
    half.mkdir()
    (half / "network.bin").touch()
    file = tmp_path / "file"
    file.touch()
    for target, message in (
        (photos, "has a.jpg and is no bundle"),
        (half, "has network.bin"),
        (file, "Not a directory"),
    ):
        with pytest.raises(ModelError, match=message), replacing(target):
            raise AssertionError(target)
    (photos / "a.jpg").unlink()
    check_target(photos)
