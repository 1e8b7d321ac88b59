"""What the workers of one cloud agree on, by way of the parent: which network they have, and how it is computed."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

_LOADING_S, _CHOOSING_S = 90.0, 45.0
"""Longer than the worker waits that asked for the former; less than it does for the latter."""


class Agreement:
    """Workers have numbers. On the event loop only."""

    def __init__(self) -> None:
        self.alike: Sequence[str] | None = None
        """Engine and precision of all workers, as the first one has chosen: their answers must not differ."""
        self._chooser: int | None = None  # where they began with an int8 network, which needs no choice
        self._networks: dict[int, str | None] = {}
        """The digest of the latest network that each worker has loaded."""
        self._noted = asyncio.Event()
        """Set when one of these changes; whoever waits for that clears it."""

    def has_network(self, number: int) -> bool:
        """Whether this worker has loaded one."""
        return bool(self._networks.get(number))

    def loaded(self, number: int, digest: str) -> None:
        """A worker has loaded the network of this digest."""
        self._networks[number] = digest
        self._noted.set()

    def ended(self, number: int) -> None:
        """A worker has ended."""
        self._networks[number] = None
        self.chosen(number, None)

    def chosen(self, number: int, alike: Sequence[str] | None) -> None:
        """A worker has loaded a network, and computes it so; None if it is int8, or could not be loaded."""
        self.alike = self.alike or alike
        self._chooser = None if self._chooser == number else self._chooser
        self._noted.set()

    async def turn_to_choose(self, number: int) -> Sequence[str] | None:
        """At once for the worker that may; for others when it has, has ended, or has loaded a network that needs no choice."""
        if self.alike is None and self._chooser is None:
            self._chooser = number
        await self._until(lambda: self._chooser in (None, number), _CHOOSING_S)
        return self.alike

    async def all_have(self, digest: str, ready: Callable[[], Iterable[int]]) -> None:
        """Wait for that, but not for ever: one that cannot load it never has it. `ready` are those that count."""
        await self._until(lambda: all(self._networks[number] == digest for number in ready()), _LOADING_S)

    async def _until(self, holds: Callable[[], bool], limit_s: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limit_s):
                while not holds():
                    self._noted.clear()
                    await self._noted.wait()
