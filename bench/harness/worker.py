"""A process of the benchmark's own, told what to do by one JSON line at a time and answering with one.

The torch that measures lives there: the process that starts and times everything else stays small and idle.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from bench.harness.system import Process, environment

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class Worker(Process):
    """`python -m <module>` with these arguments."""

    def __init__(self, module: str, *arguments: str, variables: Mapping[str, str] | None = None) -> None:
        """It loads while the caller goes on. `variables` is its environment; None: as for cloud and edge."""
        super().__init__(
            ["-m", module, *arguments],
            environment() if variables is None else dict(variables),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._module = module

    def ask(self, **request: Any) -> Any:
        """Its answer, however long it takes. Raises RuntimeError if it has ended or could not do it."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        try:
            stdin.write(json.dumps(request) + "\n")
            stdin.flush()
        except BrokenPipeError:
            pass  # what it said before it ended is read below
        line = stdout.readline()
        if not line:
            raise RuntimeError(f"{self._module} ended:\n{self.said()}")
        answer = json.loads(line)
        if "error" in answer:
            raise RuntimeError(f"{self._module}: {answer['error']}")
        return answer["answer"]

    def close(self) -> None:
        super().close()
        for stream in (self._process.stdin, self._process.stdout):
            if stream:
                stream.close()


def serve(answer: Callable[..., Any]) -> None:
    """In the worker: answer requests until nobody asks any more, then end, whatever threads are still at work."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a library prints must not stand between the answers
    for line in sys.stdin:
        try:
            reply = {"answer": answer(**json.loads(line))}
        except Exception as error:  # noqa: BLE001 - whoever asked is told, and decides
            reply = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(reply), file=out, flush=True)
    os._exit(0)
