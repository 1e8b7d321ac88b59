"""A file of JSON lines that outlives a kill, a full disk and another writer: the edge's records, the cloud's ledger."""

from __future__ import annotations

import errno
import json
import logging
import os
import re
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shared.errors import SettingsError
from shared.observing.line_file import LineFile, TakenError
from shared.security.escape import escaped_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shared.observing.counting.counter import Counter
    from shared.observing.file_metrics import FileMetrics
    from shared.observing.rotation import Rotation

_log = logging.getLogger(__name__)

STDOUT = "-"
HOSTNAME, CAMERA = "{hostname}", "{camera}"
_PASSING = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.ESTALE))
"""What may be wrong with a disk for a while; everything else is a mistake in the path."""


class JsonLines:
    """Writes each object as one line with one system call, so the operating system has it when `write` returns.

    A line that cannot be written is lost and counted, the trouble is logged once, and the caller goes on. Not thread-safe.
    """

    def __init__(
        self,
        path: str,
        *,
        append: bool,
        errors: Counter,
        what: str,
        lines: str = "lines",
        wait: bool = False,
        rotation: Rotation | None = None,
        metrics: FileMetrics | None = None,
        camera: str | None = None,
    ) -> None:
        """Open `path`; `{hostname}` in it becomes the host's name, `{camera}` that of the `camera`, and `-` is standard output.

        `append` keeps what the file holds, otherwise it is emptied. `errors` counts lost lines. Messages call the file `what`,
        which is also the flag that names it, and its content `lines`. With `wait`, a full pipe holds `write` up; without it the
        line is lost. `rotation` says when another file is begun. Raises SettingsError if the file cannot be opened (one that lines
        are added to is tried again with each line, where its disk is at fault), or holds something other than JSON lines.
        """
        self._path = file_path(path, camera)
        self._errors = errors
        self._what, self._lines = what, lines
        self._failing, self._lost_in_a_row = False, 0
        self.lost = 0
        """Lines that could not be written."""
        self._torn = False  # the last line on standard output has no end yet
        self._file: LineFile | None = None
        if path != STDOUT:
            self._file = LineFile(
                self._path, what=what, wait=wait, rotation=rotation, family=_family(path), metrics=metrics
            )
            self._open(self._file, append=append)

    @property
    def on_disk(self) -> bool:
        """Whether the lines go to a regular file, not to a pipe or a device."""
        return self._file is not None and self._file.regular

    def write(self, line: Mapping[str, Any]) -> None:
        """Add one line. Raises BrokenPipeError once the reader of a pipe has gone, and nothing else."""
        self.write_bytes(encoded(line))

    def write_bytes(self, line: bytes) -> None:
        """The same with a line that `encoded` has made."""
        try:
            self._put(line)
        except BrokenPipeError:
            raise  # nobody is left to write for
        except OSError as error:
            self._errors.inc()
            self.lost += 1
            self._complain(error)
            self._lost_in_a_row += 1
        else:
            if self._failing:
                _log.warning(
                    "%s %s: written again; %d %s were lost",
                    self._what,
                    self._path,
                    self._lost_in_a_row,
                    self._lines,
                )
            self._failing, self._lost_in_a_row = False, 0

    def tend(self) -> None:
        """What is to be done even if no line comes: begin another file when this one is too old, remove those that are."""
        if self._file:
            self._file.tend()

    def close(self) -> None:
        """Close the file; standard output stays open. May be called again. Lines written later are lost."""
        if self._file:
            self._file.close()

    def _open(self, file: LineFile, *, append: bool) -> None:
        try:
            file.open(append=append)
        except TakenError as error:  # a mistyped name must not cost the user a clip or the weights
            raise SettingsError(
                f"{self._what} {self._path}: {error.strerror}; give --{self._what} another name"
            ) from None
        except OSError as error:
            if not append or error.errno not in _PASSING:
                raise SettingsError(
                    f"{self._what} {self._path}: {error.strerror}; give --{self._what} a file in a writable folder"
                ) from None
            self._complain(error)
        if file.torn:
            _log.warning(
                "%s %s: the last line was cut off, as by a power cut; it stays, on a line of its own",
                self._what,
                self._path,
            )

    def _complain(self, error: OSError) -> None:
        if not self._failing:
            text = "%s %s: %s; %s are lost until it can be written again"
            _log.error(text, self._what, self._path, error.strerror, self._lines)
        self._failing = True

    def _put(self, line: bytes) -> None:
        if self._file:
            self._file.write(line)
            return
        rest = b"\n" * self._torn + line
        try:
            output = sys.stdout.fileno()
        except (OSError, ValueError):  # it is none of the operating system's
            sys.stdout.write(line.decode())
            sys.stdout.flush()
            return
        # Not through Python's buffer: whoever waits there for a reader holds its lock, without which no process ends.
        try:
            while rest:
                written = os.write(output, rest)
                self._torn = rest[written - 1] != ord("\n")
                rest = rest[written:]
        except BlockingIOError:
            raise OSError(errno.EAGAIN, "the pipe is full, as its reader does not keep up") from None


def file_path(given: str, camera: str | None = None) -> Path:
    """Where a file with this name in the settings lies."""
    path = given.replace(HOSTNAME, socket.gethostname())
    return Path(path if camera is None else path.replace(CAMERA, camera))


def _family(given: str) -> re.Pattern[str] | None:
    """The names of the files that other hosts and cameras have with the same setting."""
    *_, name = given.rpartition("/")
    pieces = re.split(f"{re.escape(HOSTNAME)}|{re.escape(CAMERA)}", name)
    return re.compile(r"[\w.-]+".join(map(re.escape, pieces))) if len(pieces) > 1 else None


def encoded(line: Mapping[str, Any]) -> bytes:
    r"""A line of JSON in UTF-8, with its end.

    A file's name that is not UTF-8 has its other bytes as Python reads them, `\udc80` to `\udcff`: `os.fsencode` makes the name of it.
    """
    text = escaped_json(json.dumps(line, ensure_ascii=False, separators=(",", ":"))) + "\n"
    return text.encode(errors="backslashreplace")  # which in JSON is an escape
