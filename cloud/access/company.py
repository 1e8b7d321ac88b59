"""Whether the cloud has several clients at present: with one, nothing needs to be kept free for others."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable

_COMPANY_S = 10.0
"""For how long a client counts as one of several."""


class Company:
    """Whether several clients send frames at present."""

    def __init__(self) -> None:
        self._last: tuple[Hashable, float] | None = None
        self._other_s = -math.inf  # when another client than the last one was last here

    def note(self, client: Hashable, now_s: float) -> None:
        """A frame of this client has come."""
        if self._last and self._last[0] != client:
            self._other_s = self._last[1]
        self._last = client, now_s

    def is_shared(self, now_s: float) -> bool:
        """Whether two clients or more were here lately."""
        return now_s - self._other_s < _COMPANY_S
