"""A clock that stands still, and a link that is simulated byte by byte."""

from __future__ import annotations

import heapq
import itertools
from types import SimpleNamespace

from kits.planner import MBIT

from edge.uplink.link import SEGMENT_BYTES, Link


class Clock:
    """Stands still until a test moves it."""

    def __init__(self, now=1000.0):
        self.now = now

    def __call__(self):
        return self.now


class LinkKit:
    """A link on which one frame follows the other."""

    def __init__(self):
        self.clock = Clock()
        self.link = Link(self.clock)

    @property
    def mbit(self):
        return self.link.state.bytes_per_s / MBIT

    def carry(self, mbit, size=40_000, *, round_trip_s=0.02, computing_s=0.005, fresh=False):
        number, receive_s = self.link.sent(size), max(0, size - SEGMENT_BYTES) / (mbit * MBIT)
        self.clock.now += round_trip_s + receive_s + computing_s
        self.link.answered(number, receive_s=receive_s, computing_s=computing_s, fresh=fresh)

    def give_up(self, size=40_000, after_s=2.0, *, at_deadline=True):
        number = self.link.sent(size)
        self.clock.now += after_s
        self.link.gave_up(number, at_deadline=at_deadline)


class Wire:
    """Carries the frames of `workers`, each of which sends its next frame when its last one is answered.

    The bytes of frames that are under way at once share the link evenly, or with `fifo` come one frame after another. The
    cloud takes a frame's time from its first segment on, as from its header.
    """

    def __init__(self, bytes_per_s, *, round_trip_s=0.02, computing_s=0.004, fifo=False):
        self.clock = Clock()
        self.link = Link(self.clock)
        self.bytes_per_s = bytes_per_s
        self.fifo = fifo
        self._round_trip_s = round_trip_s
        self._computing_s = computing_s
        self._order = itertools.count()

    def run(self, frames, *sizes, workers=1):
        """So many frames, of these sizes in turn. Returns the link."""
        sizes, self._events, self._flows, left = itertools.cycle(sizes), [], [], frames - workers
        for worker in range(workers):
            self._at(self.clock.now + worker * 0.003, "send", next(sizes))
        while self._events or self._flows:
            if self._advance():
                continue
            self.clock.now, _, kind, what = heapq.heappop(self._events)
            if kind == "send":
                flow = SimpleNamespace(number=self.link.sent(what), size=what, left=what, header_at=None)
                self._at(self.clock.now + self._round_trip_s / 2, "arrive", flow)
            elif kind == "arrive":
                self._flows.append(what)
            else:
                self.link.answered(
                    what.number, receive_s=what.receive_s, computing_s=self._computing_s, fresh=False
                )
                if left > 0:
                    left -= 1
                    self._at(self.clock.now, "send", next(sizes))
        return self.link

    def _at(self, time, kind, what):
        heapq.heappush(self._events, (time, next(self._order), kind, what))

    def _advance(self):
        """Carry bytes up to the next event, or until a frame's header or end has come in, whichever is first."""
        active = self._flows[:1] if self.fifo else self._flows
        if not active:
            return False
        rate = self.bytes_per_s / len(active)
        seconds = min(flow.left - self._header_left(flow) for flow in active) / rate
        until = self._events[0][0] if self._events else float("inf")
        carried_on = self.clock.now + seconds <= until
        seconds = min(seconds, until - self.clock.now)
        self.clock.now += seconds
        for flow in active:
            flow.left -= rate * seconds
        for flow in list(active):
            if flow.left <= self._header_left(flow) + 1e-6:
                self._milestone(flow)
        return carried_on

    @staticmethod
    def _header_left(flow):
        return max(0.0, flow.size - SEGMENT_BYTES) if flow.header_at is None else 0.0

    def _milestone(self, flow):
        flow.header_at = self.clock.now if flow.header_at is None else flow.header_at
        if flow.left <= 1e-6:
            flow.receive_s = self.clock.now - flow.header_at
            self._flows.remove(flow)
            self._at(self.clock.now + self._computing_s + self._round_trip_s / 2, "answer", flow)
