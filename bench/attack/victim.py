"""The cloud that is attacked: one thread, niced, with tokens; its memory, its log and its event loop are watched."""

from __future__ import annotations

import contextlib
import os
import resource
import threading
import time
import urllib.request
from typing import TYPE_CHECKING, Self

from bench.harness.keys import WATCHER
from bench.harness.process import family_resident
from bench.harness.scrape import parse
from bench.harness.system import Cloud
from shared.security.tls.context import TLSFiles, client_context

if TYPE_CHECKING:
    from pathlib import Path

    from bench.attack.attacks.known import Attack
    from bench.harness.keys import Keys
    from bench.harness.system import Setup

_NICE = 10
_START_S = 240.0
_POLL_S = 0.1
_TURN = "splitdnn_cloud_event_loop_longest_computation_seconds"


class Victim(Cloud):
    """A cloud as one attack wants it."""

    def __init__(self, setup: Setup, attack: Attack, keys: Keys, cores: set[int], log: Path) -> None:
        """It runs on `cores` only."""
        super().__init__([*setup.flags(), *keys.cloud_flags(tls=attack.tls), *attack.flags], log=log)
        self.ca = keys.ca if attack.tls else None
        self.log = log
        self._token = keys.token(WATCHER)
        self._attack = attack
        self._cores = cores
        if attack.tls:
            self.url = self.url.replace("http://", "https://")

    def begin(self) -> None:
        """Start it, and wait until it takes frames. Raises RuntimeError."""
        self.start()
        os.setpriority(os.PRIO_PROCESS, self.pid, _NICE)
        os.sched_setaffinity(self.pid, self._cores)
        if self._attack.files:
            resource.prlimit(self.pid, resource.RLIMIT_NOFILE, (self._attack.files, self._attack.files))
        until = time.monotonic() + _START_S
        while True:
            with contextlib.suppress(OSError):
                self._read("/readyz")
                return
            if not self.is_up() or time.monotonic() > until:
                raise RuntimeError(f"the cloud is not ready:\n{self.said()}")
            time.sleep(_POLL_S)

    def longest_turn_s(self) -> float:
        """The most processor time that one turn of its event loop has taken so far, in seconds."""
        return parse(self._read("/metrics")).value(_TURN) or 0.0

    def log_bytes(self) -> int:
        """Bytes that it has logged so far."""
        return self.log.stat().st_size

    def _read(self, path: str) -> str:
        context = client_context(TLSFiles(authority=self.ca)) if self.ca else None
        asked = urllib.request.Request(
            f"{self.url}{path}", headers={"Authorization": f"Bearer {self._token}"}
        )
        with urllib.request.urlopen(asked, timeout=30, context=context) as answer:
            text: str = answer.read().decode()
        return text


class Memory:
    """The most resident memory of a process and what it has started, during the block."""

    def __init__(self, pid: int) -> None:
        self.most = 0
        """Bytes."""
        self._pid = pid
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while True:
            self.most = max(self.most, family_resident(self._pid))
            if self._over.wait(_POLL_S):
                return
