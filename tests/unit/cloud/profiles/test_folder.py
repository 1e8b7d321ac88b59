"""The folder of profiles that several clouds share."""

from __future__ import annotations

import hashlib
import os
import threading
from typing import TYPE_CHECKING

import pytest

from cloud.profiles import folder as module
from cloud.profiles.folder import ProfileFolder

if TYPE_CHECKING:
    from pathlib import Path


def _named(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:32]


def test_what_one_cloud_writes_another_reads(tmp_path: Path) -> None:
    one, other = (ProfileFolder(str(tmp_path / "new" / "folder"), 1000) for _ in range(2))
    data = b"a profile"
    assert other.read(_named(data)) is None
    one.write(_named(data), data)
    assert other.read(_named(data)) == data
    assert [each.name for each in one.path.iterdir()] == [f"{_named(data)}.safetensors"]


def test_a_file_that_is_not_the_one_of_its_name_is_not_believed_and_goes(tmp_path: Path) -> None:
    folder, name = ProfileFolder(str(tmp_path), 1000), _named(b"a profile")
    path = tmp_path / f"{name}.safetensors"
    for data in (b"another", b"", b"a profil"):
        path.write_bytes(data)
        with pytest.raises(ValueError, match="not the profile of its name"):
            folder.read(name)
        assert not path.exists(), data
    path.write_bytes(bytes(1001))
    with pytest.raises(ValueError, match="more than 1000 bytes"):
        folder.read(name)
    path.unlink()
    folder.write(name, b"a profile")
    assert folder.read(name) == b"a profile"


def test_what_is_no_file_is_not_read(tmp_path: Path) -> None:
    """Nor is a link followed, or a pipe waited for."""
    folder, name = ProfileFolder(str(tmp_path), 1000), _named(b"a profile")
    path, secret = tmp_path / f"{name}.safetensors", tmp_path / "secret"
    secret.write_bytes(b"a profile")
    path.symlink_to(secret)
    with pytest.raises(OSError, match="symbolic"):
        folder.read(name)
    assert secret.exists()
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(ValueError, match="not the profile of its name"):
        folder.read(name)


def test_many_writers_leave_whole_files_only(tmp_path: Path) -> None:
    data = [bytes([number]) * 100_000 for number in range(4)]
    wrong: list[str] = []

    def write() -> None:
        folder = ProfileFolder(str(tmp_path), 1 << 20)
        for each in data:
            folder.write(_named(each), each)

    def read() -> None:
        folder = ProfileFolder(str(tmp_path), 1 << 20)
        for _ in range(50):
            for each in data:
                try:
                    found = folder.read(_named(each))
                except ValueError as error:
                    wrong.append(str(error))
                else:
                    wrong.extend(["other bytes"] if found not in (None, each) else [])

    threads = [threading.Thread(target=each) for each in (write, read, write, read)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(60)
    assert wrong == []
    assert {path.name for path in tmp_path.iterdir()} == {f"{_named(each)}.safetensors" for each in data}


def test_it_is_bounded_and_what_nobody_uses_goes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_FILES", 3)
    folder = ProfileFolder(str(tmp_path), 1000)
    stranger, part, young = (
        tmp_path / "README",
        tmp_path / f".{32 * '0'}.ab.part",
        tmp_path / f".{32 * '0'}.cd.part",
    )
    for path in (stranger, part, young):
        path.write_bytes(b"x")
    for path in (stranger, part):
        os.utime(path, (1, 1))
    data = [bytes([number]) for number in range(5)]
    for number, each in enumerate(data[:3]):
        folder.write(_named(each), each)
        os.utime(folder._file(_named(each)), (100 + number, 100 + number))
    assert folder.read(_named(data[0])) == data[0]  # used now
    for each in data[3:]:
        folder.write(_named(each), each)
    held = [each for each in data if folder._file(_named(each)).exists()]
    assert held == [data[0], data[3], data[4]]
    assert (stranger.exists(), part.exists(), young.exists()) == (True, False, True)
    monkeypatch.setattr(module, "MOST_BYTES", 150)
    folder.write(_named(bytes(100)), bytes(100))
    assert folder.read(_named(bytes(100))) == bytes(100)
    assert sum(path.stat().st_size for path in tmp_path.glob("*.safetensors")) <= 150


def test_a_folder_that_cannot_be_written_says_so_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OSError, match="file"):
        ProfileFolder(str(tmp_path / "file"), 1000).write(_named(b"x"), b"x")
