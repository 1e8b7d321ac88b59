"""One edge as a process or a container, with its records on stdout, read as they come."""

from __future__ import annotations

import json
import signal
import subprocess
import threading
from typing import IO, TYPE_CHECKING, Any

from kits.common import ROOT, STEP_S, wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class EdgeRun:
    """One edge with its records on stdout, read as they come."""

    def __init__(
        self, command: list[str], environment: Mapping[str, str], container: str | None = None
    ) -> None:
        """`container` is whom SIGTERM is for, where the command only stands before it."""
        self._container = container
        self.records: list[dict[str, Any]] = []
        self.errors: list[str] = []
        self._process = subprocess.Popen(
            command, cwd=ROOT, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        self._readers = [
            threading.Thread(target=self._read, args=(self._process.stdout, self._record), daemon=True),
            threading.Thread(target=self._read, args=(self._process.stderr, self.errors.append), daemon=True),
        ]
        for reader in self._readers:
            reader.start()

    @staticmethod
    def _read(stream: IO[str], take: Callable[[str], None]) -> None:
        for line in stream:
            take(line.rstrip("\n"))

    def _record(self, line: str) -> None:
        if line.startswith("{"):
            self.records.append(json.loads(line))
        else:  # where records go to a file, people are told on stdout
            self.errors.append(line)

    def answered_by(self) -> list[str]:
        return [record["answered_by"] for record in self.records]

    def wait_for_records(self, count: int) -> None:
        def enough() -> bool:
            assert self._process.poll() is None or len(self.records) >= count, self.said()
            return len(self.records) >= count

        wait_for(enough, f"{count} records")

    @property
    def pid(self) -> int:
        return self._process.pid

    def is_up(self) -> bool:
        return self._process.poll() is None

    def finish(self, seconds: float = STEP_S, status: int = 0) -> list[dict[str, Any]]:
        """Wait for its end, which must be a good one, or that with this exit status; its records."""
        try:
            code = self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.end()
            raise AssertionError(f"the edge did not end within {seconds:.0f} s\n{self.said()}") from None
        self._close()
        assert code == status, f"exit status {code}\n{self.said()}"
        return self.records

    def terminate(self) -> None:
        if self._container:
            subprocess.run(
                ["docker", "kill", "--signal", "TERM", self._container], check=True, capture_output=True
            )
        else:
            self._process.send_signal(signal.SIGTERM)

    def end(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        self._close()

    def _close(self) -> None:
        for reader in self._readers:
            reader.join(60)
        self._process.stdout.close()
        self._process.stderr.close()

    def said(self) -> str:
        return "\n".join(self.errors[-30:])
