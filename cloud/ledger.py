"""One line for every frame, written before its sender hears of it: what was answered, though the process be killed."""

from __future__ import annotations

import errno
import json
import logging
import os
import socket
import stat
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from shared.codecs import codec_of
from shared.errors import CodecError, SettingsError

if TYPE_CHECKING:
    from prometheus_client import Counter

    from shared.wire.frame import Frame

    Outcome = Literal["answered", "refused", "abandoned"]

_log = logging.getLogger(__name__)

# Unbuffered and at the end, whoever else writes there. A pipe that nobody reads must not hold the cloud up.
_FLAGS = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK


class Ledger:
    """JSON lines, each in one write. One that cannot be written is counted; the frames go on.

    Stays open until the process ends: its last lines are of connections that are closed then.
    """

    def __init__(self, path: str, errors: Counter) -> None:
        """Lines are added to what is there. Raises SettingsError if the file cannot be opened, or holds something else."""
        self._path = path.replace("{hostname}", socket.gethostname())
        self._errors = errors
        self._lost = 0
        """Lines since it stopped working."""
        try:
            self._file = os.open(self._path, _FLAGS, 0o644)
            self._torn = self._is_torn()
        except OSError as error:
            raise SettingsError(
                f"ledger {self._path}: {error.strerror}; give --ledger a file in a writable folder"
            ) from None

    def add(self, line: dict[str, Any]) -> None:
        """The operating system has it when this returns."""
        data = ("\n" * self._torn + json.dumps(line, separators=(",", ":")) + "\n").encode()
        try:
            written = os.write(self._file, data)
            self._torn = not data[:written].endswith(b"\n")
            if written < len(data):
                raise OSError(errno.ENOSPC, "no room for a whole line")  # noqa: TRY301
        except OSError as error:
            self._errors.inc()
            if not self._lost:
                _log.error(
                    "ledger %s: %s; lines are lost until it can be written again", self._path, error.strerror
                )
            self._lost += 1
        else:
            if self._lost:
                _log.warning("ledger %s: written again; %d lines were lost", self._path, self._lost)
            self._lost = 0

    def _is_torn(self) -> bool:
        """Whether the last line has no end: its writer was killed in it, or the disk was full."""
        about = os.fstat(self._file)
        if not (stat.S_ISREG(about.st_mode) and about.st_size):
            return False
        if os.pread(self._file, 1, 0) != b"{":  # a typing error must not spoil the weights
            os.close(self._file)
            raise SettingsError(
                f"ledger {self._path}: this file exists and holds no ledger; give --ledger another name"
            )
        return os.pread(self._file, 1, about.st_size - 1) != b"\n"


class Entry:
    """One frame's line; the first outcome is the one that is written."""

    def __init__(self, ledger: Ledger | None) -> None:
        """Without a ledger nothing is kept."""
        self._ledger = ledger
        self._known: dict[str, str | None] = {"frame_id": None, "split_point": None, "codec": None}

    def note(self, frame: Frame) -> None:
        """It could be parsed, whatever becomes of it."""
        if self._ledger:
            self._known = {
                "frame_id": f"{frame.frame_id:016x}",
                "split_point": frame.split_point,
                "codec": _codec_name(frame),
            }

    def decide(self, outcome: Outcome, reason: str | None = None) -> None:
        """To be called before the sender is told."""
        ledger, self._ledger = self._ledger, None
        if ledger:
            known = self._known
            ledger.add(
                {
                    "frame_id": known["frame_id"],
                    "outcome": outcome,
                    "reason": reason,
                    "split_point": known["split_point"],
                    "codec": known["codec"],
                    "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
                }
            )


def _codec_name(frame: Frame) -> str | None:
    """None for a codec that this process does not know."""
    try:
        return codec_of(frame).name
    except CodecError:
        return None
