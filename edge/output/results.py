"""One record per frame, in order, exactly once."""

from __future__ import annotations

import contextlib
import errno
import json
import logging
import socket
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from shared.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from prometheus_client import Counter

    from shared.tasks.classify import TopClass

_log = logging.getLogger(__name__)

STDOUT = "-"


@dataclass(frozen=True, slots=True)
class Record:
    """What is known of one frame when it is done; its fields are the keys of the JSON line."""

    frame: int
    """Number of the frame in its source, from 0; dropped frames leave gaps."""
    frame_id: str
    """What the cloud knows it by: 16 hexadecimal digits, as in its ledger."""
    time: str
    """When it was captured, UTC, ISO 8601."""
    split_point: str
    codec: str
    payload_bytes: int
    """Encoded size; 0 where nothing travels."""
    latency_ms: float
    """From capture to class."""
    stages_ms: dict[str, float]
    """Where the time went; the cloud's own steps carry `cloud.`, and are part of `send`."""
    answered_by: str
    """`cloud`, `edge`, `still` if an earlier answer was repeated, or `nobody` if the network failed on this frame."""
    repeats: int | None
    """Number of the frame whose answer this is; null for its own."""
    changed: float | None
    """Share of its symbols that changed since the last frame sent, 0 … 1; null where they were not compared."""
    fallback: str | None
    """Why the cloud did not answer; null if it did, or was not to be asked."""
    top: list[TopClass]


class Results:
    """Puts records back in order and hands each to every sink."""

    def __init__(self, sinks: Sequence[Callable[[Record], None]]) -> None:
        self._sinks = sinks
        self._next = 0
        self._early: dict[int, Record] = {}

    def accept(self, sequence: int, record: Record) -> None:
        """`sequence` counts records from 0 without gaps; each must be given once."""
        self._early[sequence] = record
        while self._next in self._early:
            ready = self._early.pop(self._next)
            self._next += 1
            for sink in self._sinks:
                sink(ready)


class ResultsFile:
    """JSON lines. A line that cannot be written is counted and logged once; the run goes on."""

    def __init__(self, path: str, errors: Counter, *, append: bool = False) -> None:
        """`append` keeps what an earlier run wrote. Raises SettingsError if the file cannot be opened."""
        self._path = Path(path.replace("{hostname}", socket.gethostname()))
        self._errors = errors
        self._failing = False
        self.lost = 0
        """Records that could not be written."""
        if path != STDOUT:
            self._refuse_other_files()
        self._torn = False
        try:
            # Unbuffered: what a full disk did not take must not be held back and written later, as it was counted as lost.
            self._file = None if path == STDOUT else self._path.open("ab" if append else "wb", buffering=0)
        except OSError as error:
            raise SettingsError(
                f"results {self._path}: {error.strerror}; give --results a file in a writable folder"
            ) from None

    def __call__(self, record: Record) -> None:
        line = json.dumps(asdict(record), ensure_ascii=False, separators=(",", ":")) + "\n"
        try:
            self._write(line)
        except BrokenPipeError:
            raise  # whoever read stdout has gone, and with him the purpose
        except OSError as error:
            self._errors.inc()
            self.lost += 1
            if not self._failing:
                _log.error(
                    "results %s: %s; records are lost until it can be written again",
                    self._path,
                    error.strerror,
                )
            self._failing = True
        else:
            self._failing = False

    def _refuse_other_files(self) -> None:
        """A typing error must not cost a user the clip, or the weights."""
        if self._path.is_file() and self._path.stat().st_size:
            # One that cannot be read is an error of its own.
            with contextlib.suppress(OSError), self._path.open("rb") as there:
                if there.read(1) != b"{":
                    raise SettingsError(
                        f"results {self._path}: this file exists and holds no records; give --results another name"
                    )

    def close(self) -> None:
        """Let go of the file; stdout stays open."""
        if self._file:
            self._file.close()

    def _write(self, line: str) -> None:
        if self._file is None:
            sys.stdout.write(line)
            sys.stdout.flush()
            return
        data = ("\n" * self._torn + line).encode()  # the end of a line that was cut off
        self._torn = self._file.write(data) < len(data)
        if self._torn:
            raise OSError(errno.ENOSPC, "no room for a whole record")
