"""The clouds behind one address, as far as their answers tell: how many, and whose turn is next where a balancer goes by turns."""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from itertools import count
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

UNNAMED = ""
"""A cloud up to 0.10.0: its answers do not say whose they are, so that several look like one."""
MOST = 64
"""Clouds that are known at once; who names more, as no fleet does, is not believed that there are more."""
_SEEN_S = 600.0
"""A cloud is one of the fleet for so long after its latest answer: a rolling update leaves none of the ids before it."""
_LATELY = 12
_RECENT = 2 * MOST


class Fleet:
    """Notes whose each answer is. Used from the event loop only."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` returns seconds."""
        self._clock = clock
        self._seen: OrderedDict[str, float] = OrderedDict()
        self._tickets = count()
        self._next = 0
        self._answers: deque[tuple[int, str]] = deque(maxlen=_RECENT)

    def sent(self) -> int:
        """The number of a request that is sent now."""
        number = next(self._tickets)
        self._next = number + 1
        return number

    def answered(self, number: int, cloud: str) -> None:
        """The cloud of this id has answered the request of this number."""
        self._answers.append((number, cloud))
        self._seen[cloud] = self._clock()
        self._seen.move_to_end(cloud)
        while len(self._seen) > MOST:
            self._seen.popitem(last=False)

    def known(self) -> set[str]:
        """Those that have answered lately."""
        since = self._clock() - _SEEN_S
        while self._seen and next(iter(self._seen.values())) < since:
            self._seen.popitem(last=False)
        return set(self._seen)

    def are_several(self) -> bool:
        """Whether more than one is behind the address: one that was started again is so only until it has answered for a while."""
        return len({cloud for _, cloud in list(self._answers)[-_LATELY:]}) > 1

    def expected(self) -> str | None:
        """Whose turn the next request is, if the latest ones were answered by strict turns; None if nothing is to be seen of that.

        A turn is as long as it is since the cloud that answered last had answered before, and then nobody else twice meanwhile.
        """
        answers = sorted(self._answers, reverse=True)
        if not answers:
            return None
        number, cloud = answers[0]
        before = next((each for each, other in answers[1:] if other == cloud), number)
        turns = {each: other for each, other in answers if before < each <= number}
        if len(turns) < 2 or len(set(turns.values())) < len(turns):
            return None
        period = number - before
        return {each % period: other for each, other in turns.items()}.get(self._next % period)
