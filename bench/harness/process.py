"""Python processes that a benchmark starts, with their CPU time and memory from the kernel."""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ROOT = Path(__file__).resolve().parents[2]
_END_S = 60.0


@dataclass(frozen=True)
class Checkout:
    """A copy of this project, of any version, and the interpreter that runs it."""

    folder: Path = ROOT
    python: str = sys.executable


HERE = Checkout()
PROC = Path("/proc")
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_PORTS = range(15_000, 30_000)
"""Below those that the kernel gives to connections: one of them might have the port before who is to listen there, or while that is away."""
_tried = itertools.count(secrets.randbelow(len(_PORTS)))


class Process:
    """One `python` process after another with the same command; the last one ends with the block."""

    process: subprocess.Popen[Any]

    def __init__(
        self, command: Sequence[str], *, log: Path | None = None, checkout: Checkout = HERE, **streams: Any
    ) -> None:
        """What it prints is appended to `log`, by default a temporary file, to be shown if a process fails."""
        self._command = [checkout.python, *command]
        self._folder = checkout.folder
        self._streams = streams
        self._log = tempfile.TemporaryFile() if log is None else log.open("ab+")  # noqa: SIM115 - closed by close()
        self.starts = 0
        self.started = 0.0
        """Monotonic seconds."""

    def __enter__(self) -> Self:
        if not self.starts:
            self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self, *flags: str, variables: Mapping[str, str] | None = None) -> None:
        """Start it without waiting. `flags` and `variables` (of the environment) are added for this process only."""
        if self.is_up():
            raise RuntimeError("it runs already")
        environ = environment() | dict(variables or {})
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            [*self._command, *flags],
            stderr=self._log,
            env=environ,
            cwd=self._folder,
            **{"stdout": self._log} | self._streams,
        )
        self.starts += 1

    @property
    def pid(self) -> int:
        return self.process.pid

    def is_up(self) -> bool:
        return self.starts > 0 and self.process.poll() is None

    def pause(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def stop(self, seconds: float = _END_S) -> int:
        """SIGTERM; the exit status. Raises TimeoutExpired."""
        self.process.terminate()
        return self.process.wait(seconds)

    def kill(self) -> None:
        """SIGKILL: nothing is finished, nothing is logged."""
        self.process.kill()
        self.process.wait()

    def close(self) -> None:
        """End it in any state: SIGTERM, then SIGKILL if that has no effect. A second call does nothing."""
        if self.is_up():
            self.resume()  # a paused process would not handle SIGTERM
            try:
                self.stop()
            except subprocess.TimeoutExpired:
                self.kill()
        if self.starts and self.process.stdout:
            self.process.stdout.close()
        self._log.close()

    def said(self) -> str:
        """The last lines that it printed."""
        self._log.seek(0)
        return self._log.read().decode(errors="replace")[-4000:]


def environment() -> dict[str, str]:
    """The environment without the user's settings, which would change what is measured."""
    return {name: value for name, value in os.environ.items() if not name.startswith("SPLITDNN_")}


def free_port() -> int:
    """A port of this machine where nobody listens, another one at each call."""
    while True:
        port = _PORTS[next(_tried) % len(_PORTS)]
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


def stat_fields(pid: int, proc: Path = PROC) -> list[str]:
    """The fields of a process's stat from the third on, its state; the name before it may hold spaces. Raises OSError if it has ended."""
    return (proc / str(pid) / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()


def cpu_s(pid: int) -> float:
    """CPU seconds that all threads of a process have taken since its start, in steps of 10 ms."""
    return sum(map(int, stat_fields(pid)[11:13])) / TICKS_PER_S  # utime, stime


def busy_s(proc: Path = PROC) -> float:
    """CPU seconds that the whole machine has spent since its start, those taken away by its host among them."""
    user, nice, system, _idle, _waiting, *interrupts = (
        (proc / "stat").read_text(encoding="utf-8").split()[1:9]
    )
    return sum(map(int, (user, nice, system, *interrupts))) / TICKS_PER_S


def family_cpu_s(pid: int) -> float:
    """The same of a process and everything it has started that still runs."""
    total = 0.0
    for each in _family(pid):
        with contextlib.suppress(OSError):  # it has just ended
            total += cpu_s(each)
    return total


@dataclass(frozen=True, slots=True)
class Memory:
    """Memory of a process, in bytes."""

    proportional: int
    """A page that n processes share counts as 1/n: what the process costs a machine on which the others run anyway."""
    resident: int
    peak: int
    """The largest `resident` since its start."""
    own: int
    """The pages that it has written, which no other process shares."""
    files: int
    """The pages that belong to files, mostly libraries; the kernel may reclaim them."""


def memory(pid: int) -> Memory:
    """Measure now. Raises OSError once the process has ended."""
    status = (PROC / str(pid) / "status").read_text(encoding="utf-8")
    resident, peak, own, files = (_bytes(name, status) for name in ("VmRSS", "VmHWM", "RssAnon", "RssFile"))
    return Memory(proportional(pid), resident, peak, own, files)


def open_files(pid: int) -> int:
    """Files, sockets and pipes, now. Raises OSError once the process has ended."""
    return sum(1 for _ in (PROC / str(pid) / "fd").iterdir())


def proportional(pid: int, proc: Path = PROC) -> int:
    """`Memory.proportional` alone. Raises OSError once the process has ended."""
    return _bytes("Pss", (proc / str(pid) / "smaps_rollup").read_text(encoding="utf-8"))


def _bytes(name: str, text: str) -> int:
    found = re.search(rf"^{name}:\s+(\d+) kB", text, re.MULTILINE)
    return 1024 * int(found[1]) if found else 0


def family_memory(pid: int) -> tuple[int, int]:
    """`proportional` and `resident` of a process and everything it has started, in bytes."""
    found = [memory(each) for each in _family(pid)]
    return sum(each.proportional for each in found), sum(each.resident for each in found)


def family_resident(pid: int) -> int:
    """Resident bytes of a process and everything it has started, without holding it up as `memory` does for milliseconds."""
    pages = 0
    for each in _family(pid):
        with contextlib.suppress(OSError):  # it has just ended
            pages += int(Path(f"/proc/{each}/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def _family(pid: int) -> list[int]:
    found = [pid]
    for parent in found:  # which grows meanwhile
        with contextlib.suppress(OSError):  # a child that has just ended
            for thread in Path(f"/proc/{parent}/task").iterdir():
                found += map(int, (thread / "children").read_text(encoding="utf-8").split())
    return found
