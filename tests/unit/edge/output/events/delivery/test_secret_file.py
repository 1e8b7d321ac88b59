"""A secret in a file, read again when it changes."""

from __future__ import annotations

import asyncio
import threading

import pytest

from edge.output.events.delivery import secret_file
from edge.output.events.delivery.secret_file import SecretFile, password
from shared.errors import SettingsError


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def opened(path, clock):
    return SecretFile(str(path), "--events-password-file", password, clock=clock)


def now(secret):
    return asyncio.run(secret.latest())


def test_a_changed_file_is_read_again_after_a_second(tmp_path):
    path, clock = tmp_path / "p", Clock()
    path.write_bytes(b"one\r\nignored\n")
    secret = opened(path, clock)
    path.write_bytes(b"other\n")
    assert now(secret) == b"one"
    clock.now = 1.0
    assert now(secret) == b"other"


def test_a_file_that_becomes_unreadable_changes_nothing_and_is_told_once(tmp_path, caplog):
    path, clock = tmp_path / "p", Clock()
    path.write_bytes(b"one")
    secret = opened(path, clock)
    path.unlink()
    for clock.now in (1.0, 2.0, 3.0):
        assert now(secret) == b"one"
    assert caplog.text.count("No such file") == 1
    path.write_bytes(b"")
    clock.now = 4.0
    assert now(secret) == b"one"
    assert "it holds no password" in caplog.text
    path.write_bytes(b"three")
    clock.now = 5.0
    assert now(secret) == b"three"


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "No such file"), (b"\n", "holds no password"), (b"x" * 4097, "more than 4096")],
)
def test_a_file_that_cannot_be_used_at_the_start_names_the_flag(tmp_path, content, said):
    path = tmp_path / "p"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SettingsError, match=f"--events-password-file .*{said}"):
        opened(path, Clock())


def test_it_shows_nothing_when_it_is_printed(tmp_path):
    path = tmp_path / "p"
    path.write_bytes(b"hunter2")
    assert "hunter2" not in repr(opened(path, Clock()))


def test_a_disk_that_hangs_holds_up_nobody_and_takes_one_thread(tmp_path, monkeypatch):
    monkeypatch.setattr(secret_file, "_PATIENCE_S", 0.01)
    path, clock, free = tmp_path / "p", Clock(), threading.Event()
    path.write_bytes(b"one")
    reads = []

    def read(data):
        reads.append(data)
        assert len(reads) == 1 or free.wait(20)
        return data

    secret = SecretFile(str(path), "--events-password-file", read, clock=clock)
    path.write_bytes(b"other")

    async def run():
        for clock.now in (1.0, 2.0, 3.0):
            assert await secret.latest() == b"one"
        assert reads == [b"one", b"other"]
        free.set()
        async with asyncio.timeout(20):
            while await secret.latest() != b"other":
                await asyncio.sleep(0.01)

    asyncio.run(run())
