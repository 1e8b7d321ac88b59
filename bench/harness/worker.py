"""A process of the benchmark's own that gets its work as JSON, a line a request, and answers each with a line.

The torch that measures lives there: the process that starts and times everything else stays small and idle.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from bench.harness.process import Process
from bench.harness.system import read_setup
from shared.process.threads import limit_threads

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.harness.network import Network
    from bench.harness.system import Setup


class Worker(Process):
    """`python -m <module>`, which runs `serve`. It loads its network while the caller goes on."""

    def __init__(self, module: str, setup: Setup) -> None:
        super().__init__(
            ["-m", module, setup.json()], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._module = module

    def ask(self, **request: Any) -> Any:
        """Its answer, however long it takes. Raises RuntimeError if it has ended or could not do it."""
        stdin, stdout = self.process.stdin, self.process.stdout
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


def serve(make: Callable[[Network], Callable[..., Any]]) -> None:
    """The worker's side: answer requests until the caller's end of the pipe closes, then end with all threads.

    `make` gets the network and gives the function that is called with each request's fields.
    """
    setup = read_setup(sys.argv[1])
    limit_threads(setup.threads or 0)
    # Only now: torch reads the thread settings when it is imported.
    from bench.harness.network import load_network

    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a library prints must not stand between the answers
    answer = make(load_network(setup))
    for line in sys.stdin:
        try:
            reply = {"answer": answer(**json.loads(line))}
        except Exception as error:  # noqa: BLE001 - the caller gets it, and decides
            reply = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(reply), file=out, flush=True)
    os._exit(0)
