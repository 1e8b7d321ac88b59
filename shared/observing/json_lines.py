"""A file of JSON lines that outlives a kill, a full disk and another writer: the edge's records, the cloud's ledger."""

from __future__ import annotations

import errno
import json
import logging
import os
import socket
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shared.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prometheus_client import Counter

_log = logging.getLogger(__name__)

STDOUT = "-"
_CLOSED = -1


class JsonLines:
    """Writes each object as one line with one system call, so the operating system has it when `write` returns.

    A line that cannot be written is lost and counted, the trouble is logged once, and the caller goes on. Not thread-safe.
    """

    def __init__(
        self, path: str, *, append: bool, errors: Counter, what: str, lines: str = "lines", wait: bool = False
    ) -> None:
        """Open `path`; `{hostname}` in it becomes the host's name, and `-` is standard output.

        `append` keeps what the file holds, otherwise it is emptied. `errors` counts lost lines. Messages call the file `what`,
        which is also the flag that names it, and its content `lines`. With `wait`, a full pipe holds `write` up; without it the
        line is lost. Raises SettingsError if the file cannot be opened, or holds something other than JSON lines.
        """
        self._path = path.replace("{hostname}", socket.gethostname())
        self._errors = errors
        self._what, self._lines = what, lines
        self._lost_in_a_row = 0
        self._torn = False  # the last line has no end yet
        self.lost = 0
        """Lines that could not be written."""
        try:
            self._file = None if path == STDOUT else self._open(append=append, wait=wait)
        except OSError as error:
            raise SettingsError(
                f"{what} {self._path}: {error.strerror}; give --{what} a file in a writable folder"
            ) from None

    def write(self, line: Mapping[str, Any]) -> None:
        """Add one line. Raises BrokenPipeError once the reader of a pipe has gone, and nothing else."""
        text = json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n"
        try:
            self._put(text)
        except BrokenPipeError:
            raise  # nobody is left to write for
        except OSError as error:
            self._errors.inc()
            self.lost += 1
            if not self._lost_in_a_row:
                _log.error(
                    "%s %s: %s; %s are lost until it can be written again",
                    self._what,
                    self._path,
                    error.strerror,
                    self._lines,
                )
            self._lost_in_a_row += 1
        else:
            if self._lost_in_a_row:
                _log.warning(
                    "%s %s: written again; %d %s were lost",
                    self._what,
                    self._path,
                    self._lost_in_a_row,
                    self._lines,
                )
            self._lost_in_a_row = 0

    def close(self) -> None:
        """Close the file; standard output stays open. May be called again. Lines written later are lost."""
        if self._file not in (None, _CLOSED):
            os.close(self._file)
            self._file = _CLOSED

    def _open(self, *, append: bool, wait: bool) -> int:
        # Opened for reading too, a pipe always has a reader: neither opening nor writing waits for one.
        access = os.O_WRONLY if wait else os.O_RDWR | os.O_NONBLOCK
        file = os.open(self._path, access | os.O_APPEND | os.O_CREAT, 0o666)
        try:
            about = os.fstat(file)
            if stat.S_ISREG(about.st_mode) and about.st_size:
                last = self._check_content()
                if not append:
                    os.ftruncate(file, 0)
                self._torn = append and last not in (b"\n", b"")
        except BaseException:
            os.close(file)
            raise
        return file

    def _check_content(self) -> bytes:
        """The last byte of a file that is not empty; nothing of one that may only be written. Raises SettingsError."""
        try:
            with Path(self._path).open("rb") as file:
                first = file.read(1)
                file.seek(-1, os.SEEK_END)
                last = file.read(1)
        except OSError:
            return b""
        if first != b"{":  # a mistyped name must not cost the user a clip or the weights
            raise SettingsError(
                f"{self._what} {self._path}: this file exists and holds no {self._what}; give --{self._what} another name"
            )
        return last

    def _put(self, text: str) -> None:
        if self._file is None:
            sys.stdout.write(text)
            sys.stdout.flush()
            return
        data = ("\n" * self._torn + text).encode()  # begin after a line that was cut off
        written = os.write(self._file, data)
        self._torn = not data[:written].endswith(b"\n")
        if written < len(data):
            raise OSError(errno.ENOSPC, "no room for a whole line")
