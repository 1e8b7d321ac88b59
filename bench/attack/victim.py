"""The cloud that is attacked: one thread, niced, with tokens; its memory, its log and its event loop are watched."""

from __future__ import annotations

import os
import resource
import threading
from typing import TYPE_CHECKING, Self

from bench.harness.process import family_resident
from bench.harness.system import Cloud

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
        super().__init__([*setup.flags(), *attack.flags], log=log, keys=keys, tls=attack.tls)
        self.ca = keys.ca if attack.tls else None
        self.log = log
        self._attack = attack
        self._cores = cores

    def begin(self) -> None:
        """Start it, and wait until it takes frames. Raises RuntimeError."""
        self.start()
        os.setpriority(os.PRIO_PROCESS, self.pid, _NICE)
        os.sched_setaffinity(self.pid, self._cores)
        if self._attack.files:
            resource.prlimit(self.pid, resource.RLIMIT_NOFILE, (self._attack.files, self._attack.files))
        self.wait_until_ready(_START_S)

    def longest_turn_s(self) -> float:
        """The most processor time that one turn of its event loop has taken so far, in seconds."""
        return self.metrics().value(_TURN) or 0.0

    def log_bytes(self) -> int:
        """Bytes that it has logged so far."""
        return self.log.stat().st_size


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
