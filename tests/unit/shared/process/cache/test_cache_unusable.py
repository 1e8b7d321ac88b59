"""A cache that cannot be used costs one line in the log, never a failure."""

from __future__ import annotations

import errno
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from kits.cache import ROOT, name, warnings, write

from shared.process.cache.folder import Cache

CHOICE = name(kind="choice")


def test_without_a_folder_nothing_is_kept(
    caplog: pytest.LogCaptureFixture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    cache = Cache("")
    assert cache.store_folder(name(), lambda _: pytest.fail("written for nothing")) is None
    assert cache.load_folder(name()) is None
    cache.store_json(CHOICE, "torch/float32")
    assert cache.load_json(CHOICE) is None
    assert not caplog.records
    assert list(tmp_path.iterdir()) == []


def test_a_tilde_is_the_users_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    Cache("~/some/where").store_json(CHOICE, "torch/float32")
    assert len(list((tmp_path / "some" / "where").iterdir())) == 1


def test_where_nobodys_home_is_known_nothing_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """As in a container whose user has no entry in /etc/passwd. No folder called `~` appears in the working directory."""

    def unknown(*_arguments: object) -> None:
        raise KeyError("getpwuid(): uid not found: 4711")

    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr("pwd.getpwuid", unknown)
    for folder in ("~/.cache/splitdnn", "~nobody-of-this-name/cache"):
        caplog.clear()
        cache = Cache(folder)
        assert cache.store_folder(name(), write) is None
        cache.store_json(CHOICE, "torch/float32")
        assert cache.load_folder(name()) is None
        assert cache.load_json(CHOICE) is None
        assert warnings(caplog) == [f"cannot keep {name()} in {folder}: this home folder is not known"]
    assert list(tmp_path.iterdir()) == []
    Cache("./~").store_json(CHOICE, "torch/float32")  # a folder that somebody wants to be called so
    assert [path.name for path in tmp_path.iterdir()] == ["~"]


def unusable(tmp_path: Path, how: str) -> Path:
    if how == "a file":
        (tmp_path / "file").write_text("not a folder")
        return tmp_path / "file"
    if how == "below a file":
        (tmp_path / "file").write_text("not a folder")
        return tmp_path / "file" / "cache"
    if how == "a name too long":
        return tmp_path / ("x" * 300)
    return Path("/proc/nobody/may/write/here")


def test_a_folder_that_cannot_be_used_is_one_line(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for how in ("a file", "below a file", "a name too long", "not writable"):
        caplog.clear()
        folder = unusable(tmp_path, how)
        cache = Cache(str(folder))
        assert cache.load_folder(name()) is None, how
        assert not warnings(caplog), how
        assert cache.store_folder(name(), write) is None, how
        (warning,) = warnings(caplog)
        assert str(folder) in warning, how
        assert "\n" not in warning, how
        assert cache.load_folder(name()) is None, how
        cache.store_json(CHOICE, "torch/float32")
        assert cache.load_json(CHOICE) is None, how
        assert len(warnings(caplog)) == 1, how


def test_a_file_that_cannot_be_stored_is_one_line(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("")
    Cache(str(tmp_path / "file")).store_json(CHOICE, 1)
    (warning,) = warnings(caplog)
    assert f"cannot keep {CHOICE}.json in {tmp_path / 'file'}: " in warning


def test_a_folder_that_may_not_be_entered_is_one_line(tmp_path: Path) -> None:
    """Somebody else's home folder, where the process runs as another user than its environment was made for."""
    (tmp_path / "home").mkdir(mode=0o700)
    script = (
        "import os, sys\nfrom shared.process.cache.folder import Cache\n"
        "if os.geteuid() == 0: os.setuid(65534)\n"
        "else: os.chmod(sys.argv[1], 0)\n"
        "cache = Cache(sys.argv[1] + '/cache')\n"
        f"print(cache.load_folder({name()!r}), cache.load_json({CHOICE!r}), cache.store_json({CHOICE!r}, 'x'))\n"
        f"print(cache.store_folder({name()!r}, lambda making: (making / 'a').write_bytes(b'a')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, tmp_path / "home"],
        cwd=ROOT, timeout=120, check=False, capture_output=True, text=True,
    )  # fmt: skip
    (tmp_path / "home").chmod(0o700)
    assert done.stdout.split() == ["None"] * 4, done.stderr
    (line,) = done.stderr.splitlines()
    assert "Permission denied" in line


def test_a_disk_error_while_a_folder_is_written_is_one_line_and_leaves_nothing(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for number, error in enumerate(
        (
            OSError(errno.ENOSPC, "No space left on device"),
            OSError(errno.EIO, "Input/output error"),
            PermissionError(errno.EACCES, "Permission denied"),
            RuntimeError("basic_ios::clear: iostream error\nand more"),  # OpenVINO's error for a full disk
        )
    ):

        def fail(making: Path, error: Exception = error) -> None:
            (making / "network.xml").write_bytes(b"<half of a n")
            raise error

        caplog.clear()
        before = set(folder.iterdir()) if number else set()
        cache = Cache(str(folder))
        assert cache.store_folder(name(number), fail) is None, error
        (warning,) = warnings(caplog)
        assert "\n" not in warning, error
        assert set(folder.iterdir()) == before, error
        assert cache.load_folder(name(number)) is None, error
        assert cache.store_folder(name(number), write) == cache.load_folder(name(number)) is not None, error


def test_what_a_full_disk_cut_off_is_never_used(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A limit on the size of files stands in for the disk: the first bytes are written, the rest is not."""
    cache = Cache(str(folder))
    cache.store_file("survey-x.json", b"the old one")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        cache.store_file("survey-x.json", bytes(5000))
        kept = cache.store_folder(
            name(), lambda making: (making / "network.bin").write_bytes(bytes(5000)) and None
        )
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert kept is None
    assert cache.load_folder(name()) is None
    assert cache.load_file("survey-x.json") == b"the old one"
    assert len(list(folder.iterdir())) == 1, "no half of anything is left"
    assert len(warnings(caplog)) == 1


def test_a_disk_that_may_only_be_read_gives_what_it_holds(
    folder: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = Cache(str(folder)).store_folder(name(), write)
    Cache(str(folder)).store_json(CHOICE, "torch/float32")

    def refuse(*_arguments: object, **_named: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    for target in ("tempfile.mkdtemp", "os.utime", "pathlib.Path.unlink", "shutil.rmtree"):
        monkeypatch.setattr(target, refuse)
    cache = Cache(str(folder))
    assert cache.load_folder(name()) == entry
    assert cache.load_json(CHOICE) == "torch/float32"
    with cache.locked(name()), cache.turn("choice", "times engines", 1.0):
        cache.store_json(CHOICE, "openvino/float32")
    assert cache.load_json(CHOICE) == "torch/float32"
    assert warnings(caplog) == [f"cannot keep {CHOICE}.json in {folder}: Read-only file system"]
