"""What the tests of the planner share: a ResNet-50's options, a clock, a link that is simulated byte by byte, a pilot."""

from __future__ import annotations

import heapq
import itertools
import random
from dataclasses import replace
from types import SimpleNamespace

from hypothesis import settings
from hypothesis import strategies as st

from edge.metrics import EdgeMetrics
from edge.planning.pilot import Pilot
from edge.planning.planner import Conditions, InForce, Objective, Option, decide
from edge.uplink.circuit import Circuit
from edge.uplink.link import SEGMENT_BYTES, Link, LinkState
from edge.uplink.reply import Reply

FUZZ = settings(max_examples=200, deadline=None, derandomize=True)
MBIT = 1e6 / 8
"""In bytes."""

WHOLE_MS = 24.2


def option(split_point="layer2", codec="int8+zstd", head=10.0, encode=1.0, decode=0.5, tail=10.0, **changes):
    """Times in ms, `kb` in thousands of bytes."""
    kb, agreement = changes.pop("kb", 100.0), changes.pop("agreement", 1.0)
    assert not changes
    return Option(
        split_point, codec, head / 1e3, encode / 1e3, decode / 1e3, tail / 1e3, 1e3 * kb, agreement, frames=48
    )


OUTPUT = option("output", None, WHOLE_MS, 0, 0, 0, kb=0)
PNG = option("input", "png", 0.5, 2.6, 1.5, 23.6, kb=33.7)
JPEG = option("input", "jpeg:quality=90,subsampling=0", 0.5, 0.3, 0.6, 23.6, kb=6.3, agreement=0.67)
LAYER3 = option("layer3", "int8+zstd", 19.3, 0.9, 0.4, 4.9, kb=73, agreement=0.979)
AVGPOOL = option("avgpool", "int8+zstd", 23.9, 0.1, 0.1, 0.3, kb=1)
RESNET50 = [
    option("input", "jpeg:quality=75,subsampling=2", 0.5, 0.3, 0.4, 23.6, kb=3.9, agreement=0.56),
    option("input", "jpeg:quality=75,subsampling=0", 0.5, 0.3, 0.5, 23.6, kb=4.6, agreement=0.6),
    option("input", "jpeg:quality=85,subsampling=0", 0.5, 0.3, 0.5, 23.6, kb=5.6, agreement=0.63),
    JPEG,
    option("input", "jpeg:quality=95,subsampling=0", 0.5, 0.4, 0.7, 23.6, kb=9.1, agreement=0.79),
    PNG,
    option("maxpool", "int8+zstd", 2.2, 0.9, 0.6, 21.9, kb=95),
    option("layer1", "int8+zstd", 6.2, 2.6, 1.8, 17.9, kb=520),
    option("layer2", "int8+zstd", 11.7, 1.5, 0.9, 12.5, kb=200),
    LAYER3,
    option("layer3", "calibrated", 19.3, 2.9, 3.1, 4.9, kb=12, agreement=0.96),
    option("layer4", "int8+zstd", 23.6, 0.4, 0.2, 0.6, kb=28, agreement=0.99),
    AVGPOOL,
    option("avgpool", "float16+zstd", 23.9, 0.1, 0.1, 0.3, kb=3.7),
    OUTPUT,
]
FAST_CLOUD_S = {
    each.split_point: each.tail_s / 8 for each in RESNET50 if not each.is_local
}  # a GPU, or many cores


def conditions(mbit=20.0, round_trip_ms=5.0, **changes):
    """A fast cloud behind a link."""
    link = LinkState(mbit * MBIT, round_trip_ms / 1e3)
    return Conditions(**({"link": link, "tails_s": FAST_CLOUD_S} | changes))


class Clock:
    """Stands still until a test moves it."""

    def __init__(self, now=1000.0):
        self.now = now

    def __call__(self):
        return self.now


# --- a link that carries bytes ------------------------------------------------------------------------------------


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


# --- a planner for a while -----------------------------------------------------------------------------------------


def fly(objective, now, *, noise=0.2, seconds=600, seed=1):
    """Seconds at which the plan was changed, with ten decisions a second and an estimate of the link that is never right."""
    generator = random.Random(seed)
    in_force, since, switches = None, 0.0, []
    for step in range(10 * seconds):
        factor = generator.uniform(1 - noise, 1 + noise)
        link = replace(now.link, bytes_per_s=now.link.bytes_per_s * factor)
        held = InForce(in_force, step / 10 - since, settled=step > 5) if in_force else None
        decision = decide(RESNET50, replace(now, link=link), objective, held)
        if decision.reason != "stay":
            in_force, since = decision.option, step / 10
            switches.append(step / 10)
    return switches


def most_a_minute(switches, settled_s=5):
    later = [each for each in switches if each >= settled_s]
    return max((sum(start <= each < start + 59.9 for each in later) for start in later), default=0)


# --- a pilot with nothing around it -------------------------------------------------------------------------------


def plan_of(which):
    """As much of a plan as the pilot looks at."""
    return SimpleNamespace(
        split_point=SimpleNamespace(name=which.split_point),
        label=which.codec or "none",
        option=which,
        profile=None,
    )


def job_of(plan, number=0, captured=0.0, fallback=None, size=None, **seconds):
    """A frame that went that way; `seconds` by step. Without a size, one of as many bytes as were surveyed."""
    size = round(plan.option.frame_bytes) if size is None and plan.option else size
    return SimpleNamespace(
        plan=plan,
        number=number,
        captured=captured,
        fallback=fallback,
        frame=b"x" * size if size else None,
        watch=SimpleNamespace(seconds=seconds),
    )


def reply_of(**stages_ms):
    return Reply([{"class_id": 7, "label": "cock", "probability": 0.5}], stages_ms)


class Flight:
    """A pilot over some options, whose link and clock the test holds."""

    def __init__(self, options=RESNET50, objective=None, *, bytes_per_s=None, explore_s=0.5, **changes):
        self.clock = Clock()
        self.metrics = EdgeMetrics()
        self.link = Link(self.clock)
        self.circuit = Circuit(self.metrics.circuit_state, self.clock)
        self.plans = {each: plan_of(each) for each in options}
        self.pilot = Pilot(
            self.plans, objective or Objective(min_agreement=0.95), self.link, self.circuit, self.metrics,
            explore_s=explore_s, clock=self.clock, **({"in_flight": 1, "deadline_s": 2.0, "live": False} | changes),
        )  # fmt: skip
        if bytes_per_s:
            self.tell(bytes_per_s)

    @property
    def option(self):
        return self.pilot._option

    @property
    def plan(self):
        return self.plans[self.option]

    def tell(self, bytes_per_s, times=1, round_trip_s=0.005, size=40_000):
        """Frames that take as long as this link would have them."""
        for _ in range(times):
            number, receive_s = self.link.sent(size), (size - SEGMENT_BYTES) / bytes_per_s
            self.clock.now += receive_s + round_trip_s
            self.link.answered(number, receive_s=receive_s, computing_s=0.0, fresh=False)

    def answer(self, times=1):
        """The plan's own frames are answered, as fast as the planner thinks they are."""
        for _ in range(times):
            computing_ms = 1e3 * self.pilot._seen.conditions().computing_s(self.option)
            self.pilot.answered(job_of(self.plan), reply_of(tail=computing_ms))

    def deliver(self, latency_s=0.03, **seconds):
        self.pilot.delivered(job_of(self.plan, captured=self.clock.now, **seconds), latency_s)


# --- anything -----------------------------------------------------------------------------------------------------

_seconds = st.floats(1e-5, 30)


@st.composite
def any_options(draw):
    """At least one, of different names."""
    names = draw(
        st.lists(
            st.tuples(st.sampled_from(["input", "a", "b", "c"]), st.sampled_from(["png", "int8", "zstd"])),
            min_size=1,
            max_size=8,
            unique=True,
        )
    )
    found = [
        Option(
            *name, *(draw(_seconds) for _ in range(4)), draw(st.floats(100, 1e7)), draw(st.floats(0, 1)), 48
        )
        for name in names
    ]
    if draw(st.booleans()):
        found.append(Option("output", None, draw(_seconds), 0.0, 0.0, 0.0, 0.0, 1.0, 48))
    return found


any_conditions = st.builds(
    Conditions,
    link=st.builds(LinkState, st.floats(10, 1e10), st.floats(0, 10)),
    tails_s=st.dictionaries(st.sampled_from(["input", "a", "b"]), st.floats(0, 30)),
    batched_tails_s=st.dictionaries(st.sampled_from(["input", "a", "b"]), st.floats(0, 30)),
    cloud_wait_s=st.floats(0, 10),
    edge_slowdown=st.floats(0.01, 100),
    cloud_slowdown=st.floats(0.01, 100),
    sizes=st.dictionaries(st.sampled_from(["png", "int8"]), st.floats(0.01, 100)),
    interval_s=st.floats(0, 10),
    in_flight=st.integers(1, 256),
    deadline_s=st.floats(1e-3, 600),
)
any_objective = st.builds(
    Objective,
    kind=st.sampled_from(["latency", "throughput", "bytes"]),
    min_agreement=st.floats(0, 1),
    max_latency_s=st.floats(1e-3, 600) | st.just(float("inf")),
)
