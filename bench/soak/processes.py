"""The processes of a soak: a cloud that is killed, paused and started again, and edges whose records are counted."""

from __future__ import annotations

import re
import signal
import time
from typing import TYPE_CHECKING

from bench.harness.process import Process, free_port
from bench.harness.system import Cloud

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


class CloudProcess:
    """`python -m cloud`, one process after another, at the same address, with one ledger and one log."""

    def __init__(self, folder: Path, flags: Sequence[str]) -> None:
        """`folder` gets the ledger and the log. Nothing is started yet."""
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.ledger = folder / "ledger.jsonl"
        self.log = folder / "cloud.log"
        self.starts = 0
        self._flags = [*flags, "--ledger", str(self.ledger)]
        self._cloud: Cloud | None = None

    @property
    def pid(self) -> int:
        """Of the current process."""
        return self._current().pid

    def start(self, *flags: str, variables: Mapping[str, str] | None = None) -> None:
        """Start it without waiting. `flags` and `variables` (of the environment) are of this process only."""
        if self.is_up():
            raise RuntimeError("the cloud runs already")
        self.close()
        self._cloud = Cloud([*self._flags, *flags], port=self.port, log=self.log, variables=variables)
        self.starts += 1

    def wait_ready(self, seconds: float) -> float:
        """Wall-clock time at which it began to take frames. Raises RuntimeError if it does not within `seconds`."""
        self._current().wait_until_ready(seconds)
        return time.time()

    def is_up(self) -> bool:
        return self._cloud is not None and self._cloud.is_up()

    def kill(self) -> None:
        """SIGKILL: nothing is finished, nothing is logged."""
        self._current().kill()

    def stop(self) -> int:
        """SIGTERM; the exit status. Raises TimeoutExpired."""
        return self._current().stop()

    def pause(self) -> None:
        self._current().process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._current().process.send_signal(signal.SIGCONT)

    def close(self) -> None:
        """End it, whatever its state. A second call does nothing."""
        if self._cloud is not None:
            self._cloud.close()

    def said(self) -> str:
        """The end of its log."""
        return self.log.read_text(encoding="utf-8", errors="replace")[-4000:] if self.log.exists() else ""

    def _current(self) -> Cloud:
        if self._cloud is None:
            raise RuntimeError("the cloud was not started")
        return self._cloud


class EdgeProcess(Process):
    """`python -m edge` until it is stopped, its records in a file that is counted while it grows."""

    def __init__(self, folder: Path, name: str, flags: Sequence[str]) -> None:
        """Starts it. `folder` gets its records and its log."""
        self.name = name
        self.results = folder / f"{name}.jsonl"
        self._counted, self._offset = 0, 0
        command = [
            "-m",
            "edge",
            *flags,
            "--results",
            str(self.results),
            "--show",
            "quiet",
            "--status-port",
            "0",
        ]
        super().__init__(command, log=folder / f"{name}.log")

    def count(self) -> int:
        """Records so far."""
        if self.results.exists():
            with self.results.open("rb") as file:
                file.seek(self._offset)
                while chunk := file.read(1 << 20):
                    self._counted += chunk.count(b"\n")
                    self._offset += len(chunk)
        return self._counted

    def frames_in(self) -> tuple[int, int]:
        """Frames read, and how many of them were dropped by policy, from its closing summary. Raises RuntimeError."""
        found = re.findall(r"^(?:frames in|dropped) +(\d+)$", self.said(), re.MULTILINE)
        if len(found) != 2:
            raise RuntimeError(f"{self.name} has closed without a summary:\n{self.said()}")
        return int(found[0]), int(found[1])
