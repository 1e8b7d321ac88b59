"""A file of lines on a disk: found again when somebody moves it, and followed by another when it is complete."""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import stat
import time
from pathlib import Path
from typing import TYPE_CHECKING

from shared.observing.line_content import age_s, is_ours, is_torn
from shared.observing.rotation import Rotation, alone, complete, remove_abandoned, remove_old

if TYPE_CHECKING:
    import re
    from collections.abc import Callable

    from shared.observing.file_metrics import FileMetrics

_log = logging.getLogger(__name__)

_CLOSED = -1
_PERIOD_S = 60.0
"""Between two looks at the folder, and between two attempts to begin another file."""
_NONE_KEPT = Rotation(max_bytes=1, keep=0)
_DESCRIPTORS = ("/dev/std", "/dev/fd/", "/proc/")
"""What lies there are files that a shell has opened."""


class TakenError(OSError):
    """The file holds something other than JSON lines, or another process writes to it."""


class LineFile:
    """The file at a path that the operating system knows: a regular one, a pipe, a device. Not thread-safe."""

    def __init__(
        self,
        path: Path,
        *,
        what: str,
        wait: bool = False,
        rotation: Rotation | None = None,
        family: re.Pattern[str] | None = None,
        metrics: FileMetrics | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Messages call it `what`. With `wait`, a full pipe holds `write` up; without it, it raises OSError.

        Files of the same `family` that were left behind go when they are as old as the oldest complete one may be.
        """
        self._path = self._real = path  # a name that leads somewhere else stays; what it leads to is renamed
        self._what, self._wait = what, wait
        self._rotation, self._family = rotation or Rotation(), family
        self._metrics, self._clock = metrics, clock
        self._file = _CLOSED
        self._closed = False
        self._known: tuple[int, int] | None = None
        """Device and inode of the open file; None if it is none that can be moved."""
        self._opening = b""
        """How lines begin, by the first one that was written: `{"camera":`."""
        self._size = 0
        self._torn = False  # the last line has no end yet
        self._doubtful = False  # it failed, and is to be opened again
        self._first_at = 0.0
        """When its first line came, on the clock."""
        self._look_at = self._rotate_at = clock()
        self._stuck = False  # it was to be followed by another, which cannot be begun

    def open(self, *, append: bool) -> None:
        """Open it; unless `append`, what it holds is removed, and so are the complete files before it.

        Raises OSError, and TakenError for a file that is not ours.
        """
        # Opened for reading too, a pipe always has a reader: neither opening nor writing waits for one.
        access = os.O_WRONLY if self._wait else os.O_RDWR | os.O_NONBLOCK
        file = os.open(self._path, access | os.O_APPEND | os.O_CREAT, 0o666)
        try:
            about = os.fstat(file)
            regular = stat.S_ISREG(about.st_mode)
            known = (about.st_dev, about.st_ino)
            size, torn, age = about.st_size, False, 0.0
            if regular:
                self._share(file, append=append)
            if regular and size:
                if known != self._known and not is_ours(self._path, size):
                    raise TakenError(errno.EEXIST, f"this file exists and holds no {self._what}")  # noqa: TRY301
                torn = is_torn(self._path)
                age = age_s(self._path) if self._rotation.max_age_s else 0.0
                if not append:
                    os.ftruncate(file, 0)
                    size, torn, age = 0, False, 0.0
        except BaseException:
            os.close(file)
            raise
        self._let_go()
        self._file, self._size, self._torn, self._doubtful = file, size, torn, False
        self._known = None if not regular or str(self._path).startswith(_DESCRIPTORS) else known
        self._real = Path(os.path.realpath(self._path))
        if self._known and not append and self._rotation.limited:
            remove_old(self._real, _NONE_KEPT)
        self._first_at = self._clock() - age

    def write(self, line: bytes) -> None:
        """Add a line, which ends with a newline, by one system call. Raises OSError, BrokenPipeError among them."""
        self._find()
        if self._known and self._due(len(line)):
            self._rotate()
        data = b"\n" * self._torn + line  # begin after a line that was cut off
        if not self._size:
            self._first_at = self._clock()
        try:
            written = os.write(self._file, data)
        except BlockingIOError:
            raise OSError(errno.EAGAIN, "the pipe is full, as its reader does not keep up") from None
        except OSError:
            self._doubtful = self._known is not None
            raise
        self._size += written
        self._opening = self._opening or line[: line.find(b":") + 1]
        self._torn = not data[:written].endswith(b"\n") if written else self._torn
        if self._metrics:
            self._metrics.written.inc(written)
        if written < len(data):
            raise OSError(errno.ENOSPC, "no room for a whole line")

    def tend(self) -> None:
        """What is to be done even if no line comes; often enough is every few seconds."""
        now = self._clock()
        if self._known is None or self._closed or now < self._look_at:
            return
        self._look_at = now + _PERIOD_S
        if self._due(0):
            self._rotate()
        self._remove_old()
        if self._family and self._opening:
            left = remove_abandoned(self._real.parent, self._rotation, self._family, self._opening)
            if self._metrics:
                self._metrics.removed.inc(left.size)

    @property
    def regular(self) -> bool:
        """Whether it lies on a disk; a pipe or a device has no limits and is not found again."""
        return self._known is not None

    @property
    def torn(self) -> bool:
        """Whether its last line has no end."""
        return self._torn

    def close(self) -> None:
        """Close it; lines written later raise OSError."""
        self._closed = True
        self._let_go()

    def _share(self, file: int, *, append: bool) -> None:
        """Other processes may add lines as well, but none may remove them. Raises TakenError."""
        try:
            if not append:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            if not append:
                raise TakenError(errno.EBUSY, "another process writes to this file") from None
        except OSError:  # not every file system has locks
            pass

    def _let_go(self) -> None:
        if self._file != _CLOSED:
            os.close(self._file)
        self._file = _CLOSED

    def _find(self) -> None:
        """Open what is at the path now, if that is another file than before, or the last one failed."""
        if self._file == _CLOSED and not self._closed:  # it could not be opened so far
            self.open(append=True)
        if self._known is None or self._closed:
            return
        try:
            about = self._path.stat()
        except FileNotFoundError:
            self._begin_again()
            return
        except OSError:  # the folder may not be entered any more; the open file can still be written to
            return
        if (about.st_dev, about.st_ino) != self._known:
            self._begin_again()
        elif self._doubtful or about.st_size < self._size:  # it failed, or another program has cut it
            self.open(append=True)
        else:
            self._size = about.st_size  # other processes may add lines too

    def _begin_again(self) -> None:
        before, earlier = self._known, self._size
        self.open(append=True)
        if self._known != before and self._size < earlier:
            _log.info("%s %s: it was moved or removed, and is begun anew", self._what, self._path)

    def _due(self, more: int) -> bool:
        now = self._clock()
        return now >= self._rotate_at and self._rotation.due(self._size, more, now - self._first_at)

    def _rotate(self) -> None:
        """Begin another file, and remove the oldest. Where that fails this one goes on."""
        result = "rotated"
        try:
            with alone(self._real) as mine:
                about = self._path.stat()
                if not mine or (about.st_dev, about.st_ino) != self._known:
                    return  # another process does it, or has done it: `_find` sees that at the next line
                target = complete(self._real)
            _log.debug("%s %s: complete, and now called %s", self._what, self._path, target.name)
        except OSError as error:
            self._rotate_at = self._clock() + _PERIOD_S
            result = "failed"
            if not self._stuck:
                text = "%s %s: no other file can be begun: %s; this one grows beyond its limit"
                _log.error(text, self._what, self._path, error.strerror)
        if self._metrics:
            self._metrics.rotations.labels(result=result).inc()
        self._stuck = result == "failed"
        if not self._stuck:
            self.open(append=True)
            self._remove_old()

    def _remove_old(self) -> None:
        removed = remove_old(self._real, self._rotation)
        if self._metrics:
            self._metrics.removed.inc(removed.size)
            self._metrics.look_at(self._real, removed.kept + self._size)


def set_aside(path: Path, what: str) -> None:
    """Give the lines at `path`, if there are any, the name of a complete file; unless another process writes to it."""
    real = Path(os.path.realpath(path))
    try:
        size = real.stat().st_size if real.is_file() else 0
        if not size or not is_ours(real, size):
            return
        with real.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            target = complete(real)
    except OSError as error:
        _log.warning("%s %s: what it holds is of an earlier run (%s)", what, path, error.strerror)
    else:
        _log.warning("%s %s: what it held is of an earlier run, and now in %s", what, path, target)
