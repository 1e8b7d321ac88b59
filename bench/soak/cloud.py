"""A cloud that is killed, paused and started again, always at the same address and with the same ledger."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

from bench.harness.system import ROOT, environment, free_port

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_POLL_S = 0.02
"""Short: how fast edges come back is measured from when the cloud is ready."""
_END_S = 30.0


class CloudProcess:
    """`python -m cloud`, one process after another. What they say is added to one log."""

    def __init__(self, folder: Path, flags: Sequence[str]) -> None:
        """`folder` gets the ledger and the log. Nothing is started yet."""
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.ledger = folder / "ledger.jsonl"
        self.log = folder / "cloud.log"
        self.starts = 0
        self._flags = [*flags, "--port", str(self.port), "--ledger", str(self.ledger)]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Of the process that runs now."""
        return self._running().pid

    def start(self, *flags: str, variables: Mapping[str, str] | None = None) -> None:
        """Start it and do not wait. `flags` are of this process only, and `variables` are added to its environment."""
        if self.is_up():
            raise RuntimeError("the cloud runs already")
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "cloud", *self._flags, *flags],
                cwd=ROOT, env=environment() | dict(variables or {}), stderr=log,
            )  # fmt: skip
        self.starts += 1

    def wait_ready(self, seconds: float) -> float:
        """Wall-clock time at which it said that it takes frames. Raises RuntimeError if it does not come to that."""
        until = time.monotonic() + seconds
        while not self.answers("/readyz"):
            if not self.is_up() or time.monotonic() > until:
                raise RuntimeError(f"the cloud is not ready within {seconds:g} s:\n{self.said()}")
            time.sleep(_POLL_S)
        return time.time()

    def answers(self, path: str) -> bool:
        """Whether it says 200."""
        with (
            contextlib.suppress(urllib.error.URLError, OSError),
            urllib.request.urlopen(self.url + path, timeout=2) as response,
        ):
            return bool(response.status == 200)
        return False

    def is_up(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        """SIGKILL: nothing is finished, nothing is said."""
        process = self._running()
        process.kill()
        process.wait()

    def stop(self) -> int:
        """SIGTERM; its exit status. Raises TimeoutExpired."""
        process = self._running()
        process.terminate()
        return process.wait(_END_S)

    def pause(self) -> None:
        self._running().send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._running().send_signal(signal.SIGCONT)

    def close(self) -> None:
        """End it, however it is; again does nothing."""
        if self.is_up():
            self.resume()  # a paused one would not hear
            try:
                self.stop()
            except subprocess.TimeoutExpired:
                self.kill()

    def said(self) -> str:
        """The end of its log."""
        return self.log.read_text(encoding="utf-8", errors="replace")[-4000:] if self.log.exists() else ""

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise RuntimeError("the cloud was not started")
        return self._process
