"""What each client has under way, and what it has cost. On the event loop only, but for what a method says."""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections import OrderedDict
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cloud.access.refusals import BusyError, OverQuotaError
from shared.limits import MAX_CLIENT_COMPILATIONS, MAX_CLIENTS
from shared.wire.server.rate import Rate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from shared.observing.counting.counter import Counter

_BURST_S = 10.0
"""Seconds' worth of its share of compute that a client may use at once."""
_QUESTIONS, _QUESTIONS_PER_S = 8, 100
"""Questions of one client that are answered at once, and later: each takes the event loop half a millisecond."""


@dataclass(frozen=True, slots=True)
class Quota:
    """What one client may have under way at once, and use."""

    frames: int
    """Requests for a tail, from their header to their answer."""
    body_bytes: int
    """Bytes of request bodies held in memory."""
    compute: float = 0.0
    """Seconds of computing a second, in the long run; 0: as much as is there, shared fairly."""


class Account:
    """One client's. Made by Clients."""

    def __init__(
        self, name: str, quota: Quota, clock: Callable[[], float], computed: Callable[[float], object]
    ) -> None:
        """`computed` is told seconds of computing, from any thread."""
        self.name = name
        self.quota = quota
        self.frames = 0
        """Requests for a tail, from their header to their answer."""
        self.body_bytes = 0
        """Bytes of request bodies held; BodyBudget keeps count."""
        self.compute_s = 0.0
        """Seconds of computing, all in all."""
        self.asking = asyncio.Lock()
        self.questions = Rate(_QUESTIONS, _QUESTIONS_PER_S, clock)
        """Requests that bring no frame and no profile; those above it wait."""
        self._computed = computed
        self._clock = clock
        self._compute = Rate(_BURST_S * quota.compute, quota.compute, clock) if quota.compute else None
        self._unsettled_s = 0.0  # computed, and not yet counted where frames wait for their turn
        self._spending = threading.Lock()
        self._compilations: Rate | None = None  # of those of the last minute; few clients ever cause one

    @property
    def idle(self) -> bool:
        """Whether it has nothing under way and owes nothing, so that it may be forgotten."""
        compiled = self._compilations is not None and self._compilations.left() < MAX_CLIENT_COMPILATIONS
        owes = self._compute_left() < _BURST_S * self.quota.compute
        return not (self.frames or self.body_bytes or owes or compiled or self.asking.locked())

    def begin_frame(self, frames: int = 1) -> None:
        """Count one more request for a tail, or further frames of one. Raises OverQuotaError."""
        if self.frames + frames > self.quota.frames:
            raise OverQuotaError(
                f"this client has {self.frames} frames under way, which is its share; wait for their answers",
                accepted={"frames_in_flight": self.quota.frames},
            )
        self.require_compute()
        self.frames += frames

    def end_frame(self, frames: int = 1) -> None:
        """So many of them are over."""
        self.frames -= frames

    def begin_compilation(self) -> None:
        """Count one more tail that is compiled for this client. Raises OverQuotaError if there were too many lately."""
        if self._compilations is None:
            per_s = MAX_CLIENT_COMPILATIONS / 60
            self._compilations = Rate(MAX_CLIENT_COMPILATIONS, per_s, self._clock)
        if not self._compilations.take():
            raise OverQuotaError(
                f"{MAX_CLIENT_COMPILATIONS} tails were compiled for this client within a minute, which is its share",
                accepted={"compilations_a_minute": MAX_CLIENT_COMPILATIONS},
                retry_after_s=math.ceil(self._compilations.wait_s()),
            )

    def spend(self, seconds: float, *, settled: bool = False) -> None:
        """Charge for computing that was done for this client, when its seconds are known. From any thread.

        `settled`: the queue before the tails knows of it.
        """
        with self._spending:
            self.compute_s += seconds
            self._unsettled_s += 0.0 if settled else seconds
            if self._compute:
                self._compute.queue(seconds)
        self._computed(seconds)

    @contextmanager
    def computing(self, counter: Counter | None = None, step: str = "") -> Iterator[None]:
        """Charge for the processor time of this thread in the block, which must not await: also if nobody waits for it any more.

        `counter` counts it by `step` as well.
        """
        start = time.thread_time()
        try:
            yield
        finally:
            seconds = time.thread_time() - start
            if counter:
                counter.labels(step).inc(seconds)
            self.spend(seconds)

    def settle(self) -> float:
        """Seconds that were spent since the last call, and that the queue does not know of."""
        with self._spending:
            seconds, self._unsettled_s = self._unsettled_s, 0.0
        return seconds

    def require_compute(self) -> None:
        """Raise OverQuotaError while this client has computed more than its share allows."""
        over_s = -self._compute_left()
        if over_s > 0:
            raise OverQuotaError(
                f"this client has used its share of computing, {self.quota.compute:g} s a second",
                accepted={"compute_s_per_s": self.quota.compute},
                retry_after_s=math.ceil(over_s / self.quota.compute),
            )

    def _compute_left(self) -> float:
        """Seconds of computing that its share has left; 0 where it has no limit."""
        with self._spending:
            return self._compute.left() if self._compute else 0.0


class Clients:
    """The accounts, at most `most` of them: those that have nothing under way are forgotten, least recent first."""

    def __init__(
        self,
        quota: Quota,
        *,
        most: int = MAX_CLIENTS,
        clock: Callable[[], float] = time.monotonic,
        counter: Callable[[str | None], Callable[[float], object]] = lambda _name: lambda _seconds: None,
    ) -> None:
        """`counter` gives what counts the seconds of a client of this name; None stands for all whose name no key has."""
        self._quota = quota
        self._counter = counter
        self._most = most
        self._clock = clock
        self._accounts: OrderedDict[str, Account] = OrderedDict()

    def __len__(self) -> int:
        return len(self._accounts)

    def active(self) -> int:
        """How many have something under way. From any thread."""
        return sum(bool(account.frames or account.body_bytes) for account in list(self._accounts.values()))

    def account(self, name: str, *, known: bool = False) -> Account:
        """The account of the client of this name, which cloud/access chose; `known`: it is a key's, not an address.

        Raises BusyError if there are too many clients.
        """
        account = self._accounts.get(name)
        if account is None:
            if len(self._accounts) >= self._most:
                self._forget_one()
            counter = self._counter(name if known else None)
            account = self._accounts[name] = Account(name, self._quota, self._clock, counter)
        self._accounts.move_to_end(name)
        return account

    def _forget_one(self) -> None:
        for name, account in self._accounts.items():
            if account.idle:
                del self._accounts[name]
                return
        raise BusyError(f"{len(self._accounts)} clients have requests under way; try again in a second")
