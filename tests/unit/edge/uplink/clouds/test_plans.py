"""Plans of an edge with several clouds: made for the one that answers most, and changed by none that is slow."""

from __future__ import annotations

import random
from types import SimpleNamespace

import pytest
from kits.edge import settings_of
from kits.link import Clock
from kits.pilot import FAST_CLOUD, plan_of
from kits.planner import LAYER3, MBIT, OUTPUT, PNG
from kits.several_clouds import FakeLine

from edge.metrics import DEFAULT_CAMERA, EdgeMetrics
from edge.planning.costs.tail_times import TailTimes
from edge.planning.pace import Pace
from edge.planning.pilot import PlannedPilot
from edge.planning.plan_metrics import PlanMetrics
from edge.uplink.circuit import Circuit
from edge.uplink.clouds.member import Member
from edge.uplink.clouds.metrics import OfCloud
from edge.uplink.clouds.typical import Typical
from edge.uplink.link import SEGMENT_BYTES, Link

SLOW_CLOUD = TailTimes({name: 6 * seconds for name, seconds in FAST_CLOUD.alone_s.items()}, {})


class Flight:
    """A pilot before several clouds, whose answers the test gives."""

    def __init__(self, count=3):
        self.clock, self.metrics = Clock(), EdgeMetrics()
        self.members = []
        for number in range(count):
            line = FakeLine(f"http://cloud{number}")
            line.link, line.circuit = Link(self.clock), Circuit(None, self.clock)
            self.members.append(Member(line, OfCloud(self.metrics.clouds, line.name), self.clock))
        self.link = Typical(self.members)
        self.plans = {each: plan_of(each) for each in (PNG, LAYER3, OUTPUT)}
        uplink = SimpleNamespace(
            link=self.link, circuit=SimpleNamespace(is_closed=True, is_open=False), can_answer=lambda *_: True
        )
        settings = settings_of(min_agreement=0.95, in_flight=1)
        self.pilot = PlannedPilot(
            settings, self.plans.values(), uplink, PlanMetrics(self.metrics), pace=Pace({DEFAULT_CAMERA: False}), clock=self.clock
        )  # fmt: skip

    def answer(self, number, *, bytes_per_s=100 * MBIT, round_trip_s=0.005, slower=1.0, cloud=True):
        """One of the clouds answers a frame of the plan in force."""
        member, size = self.members[number], 40_000
        sent, receive_s = member.line.link.sent(size), (size - SEGMENT_BYTES) / bytes_per_s
        self.clock.now += receive_s + round_trip_s
        member.line.link.answered(sent, receive_s=receive_s, computing_s=0.0, fresh=False)
        tail_s = FAST_CLOUD.alone_s.get(self.pilot.option.split_point, 0.0) * slower
        self.link.answered(member)
        self.pilot.answered(
            self.plans[self.pilot.option], {"tail": 1e3 * tail_s}, member.name if cloud else None
        )

    def settled(self):
        """The clouds are alike, and it is known how fast."""
        for member in self.members:
            self.pilot.read_tail_times(said_of(FAST_CLOUD), cloud=member.name)
        for _ in range(200):
            self.answer(random.randrange(len(self.members)))
        assert self.pilot.option is PNG, self.pilot.option
        self.clock.now += 100
        return self.switches

    @property
    def switches(self):
        return sum(
            self.metrics.registry.get_sample_value(
                "splitdnn_edge_plan_switches_total", {"camera": DEFAULT_CAMERA, "reason": reason}
            )
            for reason in ("limit", "clear", "small")
        )


def said_of(times):
    rows = {name: [1e3 * seconds] for name, seconds in times.alone_s.items()}
    return {"batch_sizes": [1], "tails_ms": rows}


@pytest.fixture(autouse=True)
def chance():
    random.seed(3)


def test_a_slow_cloud_of_three_changes_no_plan_though_answers_of_its_own_come_in_a_row():
    flight = Flight()
    before = flight.settled()
    for _ in range(300):
        for _ in range(3):
            flight.answer(2, bytes_per_s=1 * MBIT, round_trip_s=0.3, slower=30.0)
        for _ in range(7):
            flight.answer(random.choice([0, 1]))
    assert flight.switches == before
    assert flight.pilot.option is PNG


def test_the_same_answers_taken_for_those_of_one_cloud_would_change_it():
    flight = Flight()
    before = flight.settled()
    link = flight.members[0].line.link
    for member in flight.members:
        member.line.link = link
    flight.pilot._seen._link = SimpleNamespace(cloud=None, state=link.state)
    for _ in range(20):
        flight.pilot._seen._link.state = link.state
        for _ in range(3):
            flight.answer(2, bytes_per_s=1 * MBIT, round_trip_s=0.3, slower=30.0, cloud=False)
            flight.pilot._seen._link.state = link.state
        for _ in range(7):
            flight.answer(0, cloud=False)
            flight.pilot._seen._link.state = link.state
    assert flight.switches > before


def test_where_most_answers_come_from_decides_and_clouds_that_are_alike_take_turns_in_vain():
    flight = Flight()
    flight.settled()
    first = flight.link.cloud
    seen = set()
    for _ in range(2000):
        flight.answer(random.randrange(3))
        seen.add(flight.link.cloud)
    assert seen == {first}, "no other has four times as many"
    jumps, others = flight.link.jumps, [n for n, each in enumerate(flight.members) if each.name != first]
    for _ in range(96):
        flight.answer(others[0])
    assert flight.link.cloud == flight.members[others[0]].name
    assert flight.link.jumps == jumps + 1, "so that the next better plan is taken at once"


def test_if_its_cloud_dies_the_plan_is_made_for_the_next_that_answers():
    flight = Flight()
    flight.settled()
    one = next(each for each in flight.members if each.name == flight.link.cloud)
    other = next(n for n, each in enumerate(flight.members) if each is not one)
    flight.pilot.read_tail_times(said_of(SLOW_CLOUD), cloud=flight.members[other].name)
    one.line.circuit.open("gone")
    flight.answer(other)
    assert flight.link.cloud == flight.members[other].name
    assert flight.pilot._seen.conditions().tails_s == SLOW_CLOUD.alone_s
