"""Which network the cloud runs, as it says with every reply."""

from __future__ import annotations

import asyncio
import re
import time
from typing import TYPE_CHECKING

from shared.limits import FINGERPRINT_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable

_FINGERPRINT = re.compile(f"[0-9a-f]{{{2 * FINGERPRINT_BYTES}}}")


def is_fingerprint(value: object) -> bool:
    """Whether this is a fingerprint as text, and so harmless as a part of a path."""
    return isinstance(value, str) and bool(_FINGERPRINT.fullmatch(value))


class Heard:
    """The fingerprint of the cloud's current network, as it was named last. Used from the event loop only."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.at = float("-inf")
        """When it was named last, by `clock`."""
        self.on_change: Callable[[], object] | None = None
        """Called whenever the cloud names another network than before."""
        self._clock = clock
        self.fingerprint: str | None = None
        """16 hexadecimal digits; None before the cloud has named one. A cloud up to 0.5.0 names it in `GET /model` only."""
        self._changed = asyncio.Event()

    def note(self, fingerprint: object) -> None:
        """Take what a reply says; anything but a fingerprint is ignored."""
        self.at = self._clock()
        if isinstance(fingerprint, str) and fingerprint != self.fingerprint and is_fingerprint(fingerprint):
            self.fingerprint = fingerprint
            self._changed.set()
            if self.on_change:
                self.on_change()

    def is_other_than(self, fingerprint: str) -> bool:
        """Whether the cloud has named another network than this one."""
        return self.fingerprint not in (None, fingerprint)

    async def other_than(self, fingerprint: str) -> str:
        """Wait until the cloud runs another network than this one; its fingerprint."""
        while self.fingerprint is None or self.fingerprint == fingerprint:
            self._changed.clear()
            await self._changed.wait()
        return self.fingerprint
