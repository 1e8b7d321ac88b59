"""Folder entries of the disk cache: stored whole or not at all, and verified when they are loaded."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from kits.cache import FILES, ROOT, content, name, warnings, write

from shared.process.cache.folder import Cache

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def test_a_folder_is_loaded_as_it_was_stored(
    cache: Cache, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert cache.load_folder(name()) is None
    entry = cache.store_folder(name(), write)
    assert entry == folder / name()
    assert entry == cache.load_folder(name()) == Cache(str(folder)).load_folder(name())
    assert content(entry) == FILES
    assert cache.load_folder(name(1)) is None
    assert [path.name for path in folder.iterdir()] == [entry.name]  # nothing unfinished is left
    assert not caplog.records


def truncate(entry: Path) -> None:
    (entry / "network.bin").write_bytes(FILES["network.bin"][:-1])


def flip(entry: Path) -> None:
    data = bytearray(FILES["network.bin"])
    data[777] ^= 1
    (entry / "network.bin").write_bytes(data)


def replace_by_folder(entry: Path) -> None:
    (entry / "network.xml").unlink()
    (entry / "network.xml").mkdir()


def digests(entry: Path) -> dict[str, str]:
    found: dict[str, str] = json.loads((entry / "about.json").read_text())
    return found


DAMAGE: dict[str, Callable[[Path], object]] = {
    "truncated": truncate,
    "another byte": flip,
    "emptied": lambda entry: (entry / "network.xml").write_bytes(b""),
    "file missing": lambda entry: (entry / "network.bin").unlink(),
    "file too many": lambda entry: (entry / "more.bin").write_bytes(b"x"),
    "folder for a file": replace_by_folder,
    "no about": lambda entry: (entry / "about.json").unlink(),
    "about is empty": lambda entry: (entry / "about.json").write_bytes(b""),
    "about is half": lambda entry: (entry / "about.json").write_text(json.dumps(digests(entry))[:-9]),
    "about is a list": lambda entry: (entry / "about.json").write_text("[1, 2]"),
    "about is null": lambda entry: (entry / "about.json").write_text("null"),
    "about is no text": lambda entry: (entry / "about.json").write_bytes(b"\xff\xfe\x00"),
    "about is deep": lambda entry: (entry / "about.json").write_text("[" * 60_000),
    "about is huge": lambda entry: (entry / "about.json").write_text(
        " " * 70_000 + json.dumps(digests(entry))
    ),
    "about is a folder": lambda entry: [(entry / "about.json").unlink(), (entry / "about.json").mkdir()],
    "about is of others": lambda entry: (entry / "about.json").write_text(
        json.dumps(dict.fromkeys(digests(entry), "0" * 64))
    ),
}


def test_a_damaged_folder_is_logged_removed_and_made_again(
    cache: Cache, caplog: pytest.LogCaptureFixture
) -> None:
    entry = cache.store_folder(name(), write)
    other = cache.store_folder(name(1), write)
    for what, damage in DAMAGE.items():
        caplog.clear()
        damage(entry)
        assert cache.load_folder(name()) is None, what
        (warning,) = warnings(caplog)
        assert str(entry) in warning, what
        assert "\n" not in warning, what
        assert not entry.exists(), what
        assert cache.store_folder(name(), write) == entry == cache.load_folder(name()), what
        assert cache.load_folder(name(1)) == other, what
        assert len(warnings(caplog)) == 1, what


def test_an_entry_that_may_be_read_but_not_touched_is_used(
    cache: Cache, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder that came with an image, or is mounted for reading."""
    entry = cache.store_folder(name(), write)
    cache.store_json(name(kind="choice"), "torch/float32")

    def refuse(*_arguments: object, **_options: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "utime", refuse)
    assert cache.load_folder(name()) == entry
    assert cache.load_json(name(kind="choice")) == "torch/float32"
    assert not warnings(caplog)


def test_a_bug_in_what_writes_is_raised_and_leaves_nothing(cache: Cache, folder: Path) -> None:
    def fail(making: Path) -> None:
        (making / "network.xml").write_bytes(b"<half of a n")
        raise KeyError("bug")

    with pytest.raises(KeyError):
        cache.store_folder(name(), fail)
    assert list(folder.iterdir()) == []


def test_what_writes_may_name_the_entry(cache: Cache, folder: Path) -> None:
    """Which network it is may be known only when it has been made."""

    def write_other(making: Path) -> str:
        write(making)
        return name(1)

    assert cache.store_folder(name(), write_other) == folder / name(1) == cache.load_folder(name(1))
    assert cache.load_folder(name()) is None


# --- several processes ------------------------------------------------------------------------------------------------

HEAD = "import os, signal, sys\nfrom pathlib import Path\nfrom shared.process.cache.folder import Cache\n"


def test_what_a_killed_process_left_is_no_entry(cache: Cache, folder: Path) -> None:
    script = HEAD + (
        "def die(making):\n"
        "    (making / 'network.xml').write_bytes(b'<half')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        f"Cache(sys.argv[1]).store_folder({name()!r}, die)"
    )
    done = subprocess.run([sys.executable, "-c", script, folder], cwd=ROOT, timeout=120, check=False)
    assert done.returncode == -9
    assert len(list(folder.iterdir())) == 1
    assert cache.load_folder(name()) is None
    assert cache.store_folder(name(), write) == cache.load_folder(name())


def test_processes_that_store_the_same_at_once_all_have_it(cache: Cache, folder: Path) -> None:
    script = HEAD + (
        "def write(making):\n"
        "    (making / 'network.xml').write_bytes(b'<net/>')\n"
        "    (making / 'network.bin').write_bytes(bytes(range(256)) * 64)\n"
        "    print('writing', flush=True)\n"
        "    sys.stdin.read()\n"
        f"entry = Cache(sys.argv[1]).store_folder({name()!r}, write)\n"
        f"print(entry == Cache(sys.argv[1]).load_folder({name()!r}) and entry, flush=True)"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", script, folder],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for _ in range(3)
    ]  # fmt: skip
    try:
        assert [process.stdout.readline() for process in processes] == ["writing\n"] * 3
        for process in processes:
            process.stdin.close()
        said = [process.stdout.read().strip() for process in processes]
        assert [process.wait(60) for process in processes] == [0, 0, 0]
    finally:
        for process in processes:
            process.kill()
            process.wait()
            process.stdout.close()
    entry = cache.load_folder(name())
    assert said == [str(entry)] * 3
    assert [path.name for path in folder.iterdir()] == [entry.name]
    assert content(entry) == FILES


def test_a_process_that_comes_second_takes_the_firsts_entry(
    cache: Cache, caplog: pytest.LogCaptureFixture
) -> None:
    def slower(making: Path) -> None:
        write(making)
        assert cache.store_folder(name(), write)  # another process is faster

    entry = cache.store_folder(name(), slower)
    assert entry is not None
    assert entry == cache.load_folder(name())
    assert not warnings(caplog)


def test_one_process_at_a_time_holds_the_lock_of_an_entry(
    cache: Cache, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    script = HEAD + (
        f"with Cache(sys.argv[1]).locked({name()!r}):\n"
        "    print('held', flush=True)\n"
        "    sys.stdin.read()\n"
        "    Path(sys.argv[1], 'made').touch()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, folder],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        try:
            assert process.stdout.readline() == "held\n"
            with cache.locked(name(1)):  # another entry's
                assert not (folder / "made").exists()
            assert not caplog.records
            caplog.handler.addFilter(lambda _: process.stdin.close() or True)  # it goes on once we wait
            with cache.locked(name()):
                assert (folder / "made").exists()
        finally:
            process.kill()
    (line,) = caplog.records
    assert line.getMessage() == f"waiting for another process that makes {name()}"
    assert [path.name for path in folder.iterdir()] == ["made"]


def test_where_there_can_be_no_lock_there_is_none(tmp_path: Path) -> None:
    for folder in ("", "~nobody-of-this-name/cache", "/proc/nobody/may/write", "/dev/null"):
        with Cache(folder).locked(name()):
            pass
    with pytest.raises(KeyError), Cache(str(tmp_path)).locked(name()):
        raise KeyError("bug")
    assert list(tmp_path.iterdir()) == []
