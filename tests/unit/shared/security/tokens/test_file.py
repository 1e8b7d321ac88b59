"""A file of tokens that changes while it is used."""

from __future__ import annotations

import asyncio
import logging
import os

import pytest
from kits.tokens import taken

from shared.errors import SettingsError
from shared.limits import MAX_TOKEN_FILE_BYTES
from shared.security.rights import Right
from shared.security.tokens.file import LOOK_S, TokenFile
from shared.security.tokens.keyring import Grant, digest_of, new_token

OLD, NEW = new_token(), new_token()


def line(token, name="gate"):
    return f"{Grant(name, frozenset({Right.FRAMES}), None, digest_of(token))}\n"


@pytest.fixture
def path(tmp_path):
    file = tmp_path / "tokens"
    file.write_text(line(OLD))
    return file


def test_one_token_replaces_another_with_both_in_force_between(path):
    file = TokenFile(str(path))
    assert file.refresh() is False
    with path.open("a") as out:
        out.write(line(NEW))
    assert taken(file) is True
    assert file.keyring.of_token(OLD)
    assert file.keyring.of_token(NEW)
    path.write_text(line(NEW))
    assert taken(file) is True
    assert file.keyring.of_token(OLD) is None
    assert file.keyring.of_token(NEW)


def test_a_file_that_is_swapped_for_another_of_the_same_size_and_time_is_read(path, tmp_path):
    file, status = TokenFile(str(path)), path.stat()
    other = tmp_path / "other"
    other.write_text(line(NEW))
    os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
    other.replace(path)
    assert taken(file) is True
    assert file.keyring.of_token(NEW)


def test_a_link_that_is_swapped_is_followed_as_secrets_of_kubernetes_are(tmp_path):
    for name, token in (("one", OLD), ("two", NEW)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "tokens").write_text(line(token))
    (tmp_path / "data").symlink_to("one")
    (tmp_path / "tokens").symlink_to("data/tokens")
    file = TokenFile(str(tmp_path / "tokens"))
    (tmp_path / "next").symlink_to("two")
    (tmp_path / "next").replace(tmp_path / "data")
    assert taken(file) is True
    assert file.keyring.of_token(NEW)


def test_a_change_that_cannot_be_taken_is_told_and_counted_once_and_changes_nothing(path, caplog):
    failures = []
    file = TokenFile(str(path), failed=lambda: failures.append(1))
    for spoil, said in [
        (lambda: path.write_text("gate frames\n"), "line 1: 2 words"),
        (lambda: path.write_bytes(b"\xff\xfe"), "not UTF-8"),
        (lambda: path.write_bytes(b"#" * (MAX_TOKEN_FILE_BYTES + 1)), "more than"),
        (path.unlink, "No such file"),
    ]:
        spoil()
        caplog.clear()
        failures.clear()
        for _ in range(4):
            assert file.refresh() is False, said
        (record,) = caplog.records
        assert record.levelno == logging.ERROR
        assert said in record.getMessage()
        assert "stay in force" in record.getMessage()
        assert failures == [1], said
        assert file.keyring.of_token(OLD), said
    path.write_text(line(NEW))
    assert taken(file) is True


def test_a_file_that_is_being_written_is_not_taken_before_it_is_whole(path):
    """A shell's `>` makes it empty first."""
    file = TokenFile(str(path))
    for text in ("", line(NEW)[:40], line(NEW)):
        path.write_text(text)
        assert file.refresh() is False, text
        assert file.keyring.of_token(OLD), text
    assert file.refresh() is True
    assert [bool(file.keyring.of_token(token)) for token in (OLD, NEW)] == [False, True]


def test_a_file_that_changes_while_it_is_read_is_read_again(path, monkeypatch):
    file, read = TokenFile(str(path)), TokenFile._read
    path.write_text("")
    file.refresh()

    def overtaken(file):
        found = read(file)
        path.write_text(line(NEW))
        return found

    monkeypatch.setattr(TokenFile, "_read", overtaken)
    assert file.refresh() is False
    assert file.keyring.of_token(OLD)
    monkeypatch.undo()
    assert taken(file) is True
    assert file.keyring.of_token(NEW)


def test_a_start_needs_a_file_that_can_be_read(tmp_path, caplog):
    with pytest.raises(SettingsError, match="No such file"):
        TokenFile(str(tmp_path / "none"))
    (tmp_path / "bad").write_text("gate all - x")
    with pytest.raises(SettingsError, match="line 1"):
        TokenFile(str(tmp_path / "bad"))
    (tmp_path / "empty").write_text("# nobody yet\n")
    assert len(TokenFile(str(tmp_path / "empty")).keyring) == 0
    assert "holds no token" in caplog.text


def test_it_is_looked_at_for_ever_and_each_change_is_told(path):
    file, told, slept = TokenFile(str(path)), [], []

    async def sleep(seconds):
        slept.append(seconds)
        if len(slept) == 2:
            path.write_text(line(NEW))
        if len(slept) == 5:
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(file.watch(lambda: told.append(len(slept)), sleep=sleep))
    assert told == [3]
    assert slept == [LOOK_S] * 5
