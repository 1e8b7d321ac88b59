"""Converted networks on disk: there whole or not at all, and never in the way of a start."""

from __future__ import annotations

import errno
import json
import logging
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from shared.engines import store as module
from shared.engines.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parents[4]
KEY = "0123456789abcdef01234567"
FILES = {"network.xml": b"<net/>", "network.bin": bytes(range(256)) * 64}


def write(folder: Path) -> None:
    for name, data in FILES.items():
        (folder / name).write_bytes(data)


def key(number: int) -> str:
    return f"{number:024x}"


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "not" / "there" / "yet")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "not" / "there" / "yet"


# --- networks ---------------------------------------------------------------------------------------------------------


def test_what_was_added_is_found_as_it_was_written(
    store: Store, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert store.find(KEY) is None
    entry = store.add(KEY, write)
    assert entry == store.find(KEY) == Store(folder).find(KEY)
    assert {name: (entry / name).read_bytes() for name in FILES} == FILES
    assert store.find(key(1)) is None
    assert [path.name for path in folder.iterdir()] == [entry.name]  # nothing of the making is left
    assert not caplog.records


def test_without_a_folder_nothing_is_kept(caplog: pytest.LogCaptureFixture) -> None:
    store = Store(None)
    assert store.add(KEY, lambda _: pytest.fail("written for nothing")) is None
    assert store.find(KEY) is None
    store.remember(KEY, "torch/float32")
    assert store.recall(KEY) is None
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


@pytest.mark.parametrize("damage", [pytest.param(value, id=name) for name, value in DAMAGE.items()])
def test_a_damaged_entry_is_said_removed_and_made_again(
    store: Store, caplog: pytest.LogCaptureFixture, damage: Callable[[Path], object]
) -> None:
    entry = store.add(KEY, write)
    other = store.add(key(1), write)
    damage(entry)
    assert store.find(KEY) is None
    (warning,) = warnings(caplog)
    assert str(entry) in warning
    assert "\n" not in warning
    assert not entry.exists()
    assert store.add(KEY, write) == entry == store.find(KEY)
    assert store.find(key(1)) == other
    assert len(warnings(caplog)) == 1


def test_an_entry_that_may_be_read_but_not_touched_is_used(
    store: Store, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder that came with an image, or is mounted for reading."""
    entry = store.add(KEY, write)

    def refuse(*_arguments: object, **_options: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "utime", refuse)
    assert store.find(KEY) == entry
    assert not warnings(caplog)


# --- a folder that cannot be used -------------------------------------------------------------------------------------


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


@pytest.mark.parametrize("how", ["a file", "below a file", "a name too long", "not writable"])
def test_a_folder_that_cannot_be_used_is_one_line(
    how: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = unusable(tmp_path, how)
    store = Store(folder)
    assert store.find(KEY) is None
    assert not warnings(caplog)
    assert store.add(KEY, write) is None
    (warning,) = warnings(caplog)
    assert str(folder) in warning
    assert "\n" not in warning
    assert store.find(KEY) is None
    store.remember(KEY, "torch/float32")
    assert store.recall(KEY) is None
    assert len(warnings(caplog)) == 1


def test_a_folder_that_may_not_be_entered_is_one_line(tmp_path: Path) -> None:
    """Somebody else's home folder, where the process runs as another user than its environment was made for."""
    (tmp_path / "home").mkdir(mode=0o700)
    script = (
        "import os, sys\nfrom pathlib import Path\nfrom shared.engines.store import Store\n"
        "if os.geteuid() == 0: os.setuid(65534)\n"
        "else: os.chmod(sys.argv[1], 0)\n"
        "store = Store(Path(sys.argv[1]) / 'cache')\n"
        f"print(store.find('{KEY}'), store.recall('{KEY}'), store.remember('{KEY}', 'x'))\n"
        f"print(store.add('{KEY}', lambda making: (making / 'a').write_bytes(b'a')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, tmp_path / "home"],
        cwd=ROOT, timeout=120, check=False, capture_output=True, text=True,
    )  # fmt: skip
    (tmp_path / "home").chmod(0o700)
    assert done.stdout.split() == ["None"] * 4, done.stderr
    (line,) = done.stderr.splitlines()
    assert "Permission denied" in line


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        OSError(errno.EIO, "Input/output error"),
        PermissionError(errno.EACCES, "Permission denied"),
        RuntimeError("basic_ios::clear: iostream error"),  # what OpenVINO says of a full disk
    ],
    ids=lambda error: type(error).__name__ + str(getattr(error, "errno", "")),
)
def test_a_disk_error_while_it_is_written_is_one_line_and_leaves_nothing(
    store: Store, folder: Path, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    def fail(making: Path) -> None:
        (making / "network.xml").write_bytes(b"<half of a n")
        raise error

    assert store.add(KEY, fail) is None
    (warning,) = warnings(caplog)
    assert "\n" not in warning
    assert list(folder.iterdir()) == []
    assert store.find(KEY) is None
    assert store.add(KEY, write) == store.find(KEY)


def test_a_bug_in_what_writes_is_not_hidden_and_leaves_nothing(store: Store, folder: Path) -> None:
    def fail(making: Path) -> None:
        (making / "network.xml").write_bytes(b"<half of a n")
        raise KeyError("bug")

    with pytest.raises(KeyError):
        store.add(KEY, fail)
    assert list(folder.iterdir()) == []


def test_what_a_killed_process_left_is_no_entry(store: Store, folder: Path) -> None:
    script = (
        "import os, signal, sys\nfrom pathlib import Path\nfrom shared.engines.store import Store\n"
        "def die(making):\n"
        "    (making / 'network.xml').write_bytes(b'<half')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        f"Store(Path(sys.argv[1])).add('{KEY}', die)"
    )
    done = subprocess.run([sys.executable, "-c", script, folder], cwd=ROOT, timeout=120, check=False)
    assert done.returncode == -9
    assert len(list(folder.iterdir())) == 1
    assert store.find(KEY) is None
    assert store.add(KEY, write) == store.find(KEY)


# --- several processes ------------------------------------------------------------------------------------------------


def test_processes_that_add_the_same_at_once_all_have_it(store: Store, folder: Path) -> None:
    script = (
        "import sys, time\nfrom pathlib import Path\nfrom shared.engines.store import Store\n"
        "def write(making):\n"
        "    (making / 'network.xml').write_bytes(b'<net/>')\n"
        "    (making / 'network.bin').write_bytes(bytes(range(256)) * 64)\n"
        "    print('writing', flush=True)\n"
        "    sys.stdin.read()\n"
        f"entry = Store(Path(sys.argv[1])).add('{KEY}', write)\n"
        f"print(entry == Store(Path(sys.argv[1])).find('{KEY}') and entry, flush=True)"
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
    entry = store.find(KEY)
    assert said == [str(entry)] * 3
    assert [path.name for path in folder.iterdir()] == [entry.name]
    assert {name: (entry / name).read_bytes() for name in FILES} == FILES


def test_who_finds_another_ones_entry_in_its_way_takes_it(store: Store) -> None:
    def slower(making: Path) -> None:
        write(making)
        assert store.add(KEY, write)  # another process is faster

    entry = store.add(KEY, slower)
    assert entry is not None
    assert entry == store.find(KEY)


# --- how much is kept -------------------------------------------------------------------------------------------------


def test_the_network_used_longest_ago_goes_first(
    store: Store, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    most = module._MAX_ENTRIES
    entries = []
    for number in range(most):
        entries.append(store.add(key(number), write))
        old = time.time() - 1000 + number
        os.utime(entries[-1], (old, old))
    assert store.find(key(0)) == entries[0]  # used again
    entries.append(store.add(key(most), write))
    assert sorted(folder.iterdir()) == sorted({*entries} - {entries[1]})
    assert store.find(key(1)) is None
    entries.append(store.add(key(most + 1), write))
    assert not entries[2].exists()
    assert all(entries[number].exists() for number in (0, 3, most, most + 1))
    assert not warnings(caplog)


def test_choices_are_bounded_as_well(store: Store, folder: Path) -> None:
    for number in range(module._MAX_CHOICES + 20):
        store.remember(key(number), f"line {number}")
        (path,) = [path for path in folder.iterdir() if path.name.endswith(key(number))]
        os.utime(path, (1000 + number, 1000 + number))
    store.remember(key(9999), "the last")
    assert len(list(folder.iterdir())) == module._MAX_CHOICES
    assert store.recall(key(9999)) == "the last"
    assert store.recall(key(0)) is None
    assert store.recall(key(module._MAX_CHOICES)) == f"line {module._MAX_CHOICES}"


def test_nothing_else_in_the_folder_is_ever_touched(store: Store, folder: Path) -> None:
    """It may be any folder: somebody's own, by mistake."""
    folder.mkdir(parents=True)
    for number in range(20):
        for name in ("network-drawings", "network-2024", "networks", "choice-of-music", "choices", "notes"):
            path = folder / f"{name}{number}"
            path.mkdir()
            (path / "important.txt").write_text("kept")
        for name in ("network-notes", "choice-notes", "thesis", "about"):
            (folder / f"{name}{number}.txt").write_text("kept")
    before = {path: path.stat().st_mtime for path in folder.rglob("*")}
    for path in before:
        os.utime(path, (1000, 1000))
    before = {path: path.stat().st_mtime for path in folder.rglob("*")}
    for number in range(module._MAX_ENTRIES + 3):
        assert store.add(key(number), write)
    for number in range(module._MAX_CHOICES + 3):
        store.remember(key(number), "torch/float32")
    assert {path for path in before if not path.exists()} == set()
    assert {path: path.stat().st_mtime for path in before} == before


# --- choices ----------------------------------------------------------------------------------------------------------


def test_a_line_is_remembered_until_there_is_another(store: Store, folder: Path) -> None:
    assert store.recall(KEY) is None
    store.remember(KEY, "openvino/bfloat16")
    assert store.recall(KEY) == Store(folder).recall(KEY) == "openvino/bfloat16"
    store.remember(KEY, "torch/float32")
    assert store.recall(KEY) == "torch/float32"
    assert store.recall(key(1)) is None


def test_a_choice_that_cannot_be_read_is_none(store: Store, folder: Path) -> None:
    store.remember(KEY, "openvino/bfloat16")
    (path,) = folder.iterdir()
    path.write_bytes(b"\xff\xfe\xfa")
    assert store.recall(KEY) is None
    path.unlink()
    path.mkdir()
    assert store.recall(KEY) is None
    store.remember(KEY, "torch/float32")  # in its way: found out again next time
    assert store.recall(KEY) is None


def test_of_a_choice_that_is_too_long_only_so_much_is_read(store: Store, folder: Path) -> None:
    store.remember(KEY, "openvino/bfloat16")
    (path,) = folder.iterdir()
    with path.open("wb") as file:
        file.truncate(1 << 30)  # a gigabyte of nothing
    start = time.thread_time()
    assert len(store.recall(KEY) or "") <= 100
    assert time.thread_time() - start < 1


def test_what_a_killed_process_left_half_written_goes_after_an_hour(tmp_path: Path) -> None:
    """A younger one may still be written by another process."""
    old, young = tmp_path / ".making-old", tmp_path / ".making-young"
    for folder in (old, young):
        folder.mkdir()
        (folder / "network.bin").write_bytes(b"half")
    an_hour_ago = time.time() - 3601
    os.utime(old, (an_hour_ago, an_hour_ago))
    assert Store(tmp_path).add(KEY, write) is not None
    assert not old.exists()
    assert young.exists()
