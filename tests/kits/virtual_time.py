"""An event loop without waiting: when nothing is left to do, its clock jumps to the next timer. No tests."""

import asyncio
import selectors
import time

_GRACE_S = 0.005
"""Real seconds for which sockets of this machine may be on their way before time jumps."""
_LATE_S = 0.002
_MOST = 100


class _Selector(selectors.DefaultSelector):
    waited = 0.0
    grace_s = _GRACE_S

    def select(self, timeout=None):
        events = super().select(0)
        if events or timeout == 0:
            return events
        if timeout is None:
            return super().select()
        grace_s = min(timeout, self.grace_s)
        for _ in range(_MOST):
            start = time.perf_counter()
            events = super().select(grace_s)
            # Where this process comes back late, others want its processor, and what is on its way may be late as well.
            if events or time.perf_counter() - start < grace_s + _LATE_S:
                break
        if not events:
            self.waited += timeout
        return events


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """Sockets and callbacks are real; only the loop's clock, and so `asyncio.sleep` and timeouts, is not."""

    def __init__(self, grace_s=_GRACE_S):
        self._waits = _Selector()
        self._waits.grace_s = grace_s
        super().__init__(self._waits)

    def time(self):
        return self._waits.waited


def run(coroutine, grace_s=_GRACE_S):
    """As `asyncio.run`; without sockets and threads no grace is needed."""
    with asyncio.Runner(loop_factory=lambda: VirtualTimeLoop(grace_s)) as runner:
        return runner.run(coroutine)
