"""Work that blocks, on a thread that nobody waits for at the end."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

_Made = TypeVar("_Made")


async def on_own_thread(work: Callable[[], _Made]) -> _Made:
    """As `asyncio.to_thread`, but nobody waits for the thread at the end: a name server may not answer for minutes."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[_Made] = loop.create_future()

    def tell(outcome: Callable[[], object]) -> None:
        if not future.done():
            outcome()

    def run() -> None:
        try:
            made = work()
        except BaseException as error:  # noqa: BLE001 - whoever waits gets it
            said = error
            outcome: Callable[[], object] = lambda: future.set_exception(said)  # noqa: E731
        else:
            outcome = lambda: future.set_result(made)  # noqa: E731
        with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(tell, outcome)

    threading.Thread(target=run, name="connect", daemon=True).start()
    return await future
