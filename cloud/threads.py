"""The threads that the cloud computes on, so that its event loop never does."""

from __future__ import annotations

import asyncio
import contextlib
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

_Result = TypeVar("_Result")

_MAX_PICTURES = 8
"""Pictures that are resized at once, whatever the machine; shared/limits.py says how much memory each takes."""


class Pool:
    """Threads for one kind of work, which waits its turn."""

    def __init__(self, name: str, threads: int) -> None:
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix=name)

    async def run(self, function: Callable[..., _Result], *arguments: Any) -> _Result:
        """Call `function` on a thread. A caller that is cancelled while it waits leaves none of its arguments behind."""
        call = _Call(function, arguments)
        try:
            return await asyncio.get_running_loop().run_in_executor(self._executor, call)
        finally:
            call.forget()

    def start(self, function: Callable[[], object]) -> None:
        """Call `function` on a thread some time; nobody waits for it. Does nothing once the pool is stopped."""
        with contextlib.suppress(RuntimeError):
            self._executor.submit(function)

    def stop(self) -> None:
        """Cancel the calls that wait; those that run are not waited for."""
        self._executor.shutdown(wait=False, cancel_futures=True)


class _Call(Generic[_Result]):
    """An executor keeps a cancelled call in its queue until a thread is free, so the call must let go of what it holds."""

    def __init__(self, function: Callable[..., _Result], arguments: tuple[Any, ...]) -> None:
        self._work: tuple[Callable[..., _Result], tuple[Any, ...]] | None = function, arguments

    def __call__(self) -> _Result:
        if self._work is None:
            raise asyncio.CancelledError
        function, arguments = self._work
        return function(*arguments)

    def forget(self) -> None:
        self._work = None


class ThreadPools:
    """One pool for each kind of work, so that none of them waits behind another."""

    def __init__(self, threads: int, tail_workers: int = 0) -> None:
        """`threads` may compute at once; `tail_workers` tails run at once and share them, 0: one for every four threads."""
        self.threads = threads
        # Four threads run one tail nearly four times as fast; more of them help several tails more than one.
        self.tail_workers = tail_workers or max(1, threads // 4)
        self.tails = Pool("tail", self.tail_workers)
        self.decode = Pool("decode", max(2, threads))
        self.pictures = Pool("picture", min(_MAX_PICTURES, max(1, threads // 2)))
        """For pictures of the camera's own size, which take long."""
        self.profiles = Pool("profile", 1)
        """One thread: building a profile's tables may take a second, and frames are decoded meanwhile."""
        self.networks = Pool("network", 1)
        """For loading another network, which takes seconds or minutes."""
        self.files = Pool("file", 2)
        """For reading a bundle's files, from a disk that may be slow."""

    def stop(self) -> None:
        """Stop all of them."""
        for pool in (self.decode, self.pictures, self.profiles, self.networks, self.files, self.tails):
            pool.stop()
