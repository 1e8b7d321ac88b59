"""A process of the benchmark's own that loads the network and works with it on request.

The engine that is measured lives there: the process that starts and times everything else stays small and idle.
"""

from __future__ import annotations

import multiprocessing
import os
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, Self, TypeVar

from bench.harness.process import environment
from shared.process.threads import limit_threads

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection

    from bench.harness.network import Network
    from bench.harness.system import Setup

P = ParamSpec("P")
T = TypeVar("T")
W = TypeVar("W")


class Worker(Generic[W]):
    """Holds a `W` that is made of the network, and calls its methods. It loads while the caller goes on."""

    def __init__(self, make: Callable[[Network], W], setup: Setup, model: str = "resnet50") -> None:
        """`make`, and each method that is asked for, must be importable by name."""
        context = multiprocessing.get_context("spawn")
        self._pipe, pipe = context.Pipe()
        self._process = context.Process(target=_serve, args=(pipe, setup, model), daemon=True)
        self._process.start()
        pipe.close()
        self._pipe.send(make)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.join()
        self._pipe.close()

    def ask(self, method: Callable[Concatenate[W, P], T], *arguments: P.args, **named: P.kwargs) -> T:
        """The method's result, however long it takes. Raises RuntimeError if it failed, or the process has ended."""
        try:
            self._pipe.send((method, arguments, named))
            result, error = self._pipe.recv()
        except (BrokenPipeError, ConnectionResetError, EOFError):
            raise RuntimeError("a worker of the benchmark has ended") from None
        if error:
            raise RuntimeError(f"a worker of the benchmark failed: {error}")
        answer: T = result
        return answer


def _serve(pipe: Connection[Any, Any], setup: Setup, model: str) -> None:
    """Serve a `Worker`'s requests, in the process that it started."""
    for name in os.environ.keys() - environment().keys():
        del os.environ[name]
    limit_threads(setup.threads or 0)
    # Only now: numpy and torch read the thread settings when they are imported.
    from bench.harness.network import load_network

    os.dup2(2, 1)  # what a library prints must not stand between the tables
    worker = pipe.recv()(load_network(setup, model))
    while True:
        method, arguments, named = pipe.recv()
        try:
            pipe.send((method(worker, *arguments, **named), ""))
        except Exception as error:  # noqa: BLE001 - the caller gets it, and decides
            pipe.send((None, f"{type(error).__name__}: {error}"))
