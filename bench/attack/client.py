"""Clients in processes of their own, which wait to be told for how many seconds they are to be at it."""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from bench.attack.attacks.known import ATTACKS
from bench.attack.target import Target
from bench.load.generator import OK, Generator, Load

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from multiprocessing.connection import Connection as Pipe

_RATE = 10.0
_WARM_S = 0.3


@dataclass(frozen=True)
class Account:
    """How a client reaches the cloud, and on what it runs."""

    url: str
    token: str
    ca: str | None
    cores: frozenset[int]
    nice: int = 0


class Client:
    """A process that does `work` for so many seconds whenever it is told to; it ends with the block."""

    def __init__(self, work: Callable[..., Any], account: Account, *arguments: Any) -> None:
        """`work(target, seconds, *arguments)` must be importable by name."""
        context = multiprocessing.get_context("spawn")
        self._pipe, pipe = context.Pipe()
        self._process = context.Process(target=_serve, args=(pipe, work, account, arguments), daemon=True)
        self._process.start()
        pipe.close()

    def __enter__(self) -> Self:
        self.result()  # it has started
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.join()
        self._pipe.close()

    def begin(self, seconds: float) -> None:
        self._pipe.send(seconds)

    def result(self) -> Any:
        """What it found in the seconds that have begun. Raises RuntimeError if it failed."""
        try:
            found, error = self._pipe.recv()
        except EOFError:
            raise RuntimeError("a client of the benchmark has ended") from None
        if error:
            raise RuntimeError(f"a client of the benchmark failed: {error}")
        return found


class _Lasting:
    """One of the connections that outlive the spells, as an edge's do."""

    def __init__(self, target: Target) -> None:
        self._free = target.lasting
        self._connection = self._free.pop() if self._free else target.connection()

    async def ask(self, request: bytes, timeout_s: float) -> int:
        return await self._connection.ask(request, timeout_s)

    def close(self) -> None:
        """It stays, for the next spell."""
        self._free.append(self._connection)


def honest(target: Target, seconds: float, frames: Sequence[bytes]) -> list[tuple[float, bool]]:
    """Sends a frame every 100 ms; of each the seconds from when it was due to its answer, and whether that was one."""
    load = Load(1, seconds - _WARM_S, _RATE, warm_s=_WARM_S)
    requests = [target.post(frame) for frame in frames]
    generator = Generator(target.parts, [requests], load, connect=lambda _parts: _Lasting(target))
    run = target.runner.run(generator.run())
    return [(each.latency_s, each.status == OK) for each in run.requests if each.due >= _WARM_S]


def attacker(target: Target, seconds: float, name: str) -> dict[str, int]:
    """Attacks; how many answers it had of each status."""
    target.sent.clear()
    asyncio.run(_attack(target, seconds, name))
    return dict(target.sent)


async def _attack(target: Target, seconds: float, name: str) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await ATTACKS[name].run(target)


def _serve(
    pipe: Pipe[Any, Any], work: Callable[..., Any], account: Account, arguments: Sequence[Any]
) -> None:
    """Serve a `Client`'s requests, in the process that it started."""
    os.nice(account.nice)
    os.sched_setaffinity(0, account.cores)
    try:
        target = Target(account.url, account.token, account.ca)
        pipe.send((None, ""))
        while True:
            pipe.send((work(target, pipe.recv(), *arguments), ""))
    except EOFError:
        return
    except Exception as error:  # noqa: BLE001 - the caller gets it, and decides
        while isinstance(error, ExceptionGroup):
            error = error.exceptions[0]
        pipe.send((None, f"{type(error).__name__}: {error}"))
