"""One cell has its time: the slowest plans by prediction are left out, edge only and cloud only never."""

from types import SimpleNamespace

import pytest
from kits.link import Clock

from bench.link.cell import Cell, Measuring, Outcome
from edge.metrics import EdgeMetrics
from edge.planning.planner import Option

CELL = Cell(2.0, 20.0, 1.0, 0.6)
JPEG, PNG = "input jpeg", "input png"
OPTIONS = {
    option.name: option
    for option in (
        Option("output", None, 0.05, 0.0, 0.0, 0.0, 0.0, 1.0, 8),
        Option("input", "jpeg", 0.001, 0.001, 0.001, 0.04, 9_000, 1.0, 8),
        Option("input", "png", 0.001, 0.002, 0.001, 0.04, 12_000, 1.0, 8),
        Option("layer3", "int8", 0.03, 0.002, 0.001, 0.01, 11_000, 1.0, 8),
    )
}
MEASURED_MS = {"output": 50.0, JPEG: 80.0, PNG: 95.0, "layer3 int8": 90.0}


class Cockpit:
    """Measures a plan in `took_s` seconds of a clock that it moves, and chooses what it is told to."""

    def __init__(self, clock, took_s, chosen="output"):
        self.clock, self.took_s, self.chosen = clock, took_s, chosen
        self.settings = SimpleNamespace(min_agreement=0.95, objective="latency", in_flight=1)
        self.plans = [SimpleNamespace(option=option) for option in OPTIONS.values()]
        self.allowed_s = []
        self.measured = []

    def slowed(self, _factor):
        return self

    def planned(self, _times, told):
        told(EdgeMetrics()).measured(0.05)

    def fly(self, make_pilot, *, one_by_one, frames, seconds):
        del one_by_one, frames
        if make_pilot is None:
            return SimpleNamespace(pilot=SimpleNamespace(option=SimpleNamespace(name=self.chosen)))
        self.allowed_s.append(seconds)
        self.clock.now += self.took_s
        return SimpleNamespace(value_ms=lambda **_: MEASURED_MS[self.measured[-1]])


@pytest.fixture
def measure(monkeypatch):
    def run(took_s, chosen="output", cell_s=30.0):
        clock = Clock(0.0)
        cockpit = Cockpit(clock, took_s, chosen)
        own = Measuring._measure

        def noted(self, used, plan, left_s):
            cockpit.measured.append(plan.option.name)
            return own(self, used, plan, left_s)

        monkeypatch.setattr(Measuring, "_measure", noted)
        times = SimpleNamespace(alone_s={"input": 0.04, "layer3": 0.01})
        found = Measuring(cockpit, times, 4, 1.0, cell_s, clock).run(CELL)
        return found, cockpit, clock

    return run


def test_with_time_enough_every_plan_is_measured_and_the_close_ones_again(measure):
    found, cockpit, _ = measure(0.1)
    assert set(found.values_ms) == set(OPTIONS)
    assert found.unmeasured == 0
    assert len(found.values_ms["output"]) == 3
    assert found.ratio == 1.0
    assert max(cockpit.allowed_s) <= 45


def test_where_time_is_over_the_ends_and_the_choice_are_measured_and_the_rest_is_counted(measure):
    found, cockpit, clock = measure(40.0, chosen="layer3 int8")
    assert cockpit.measured == ["output", JPEG, "layer3 int8"]
    assert found.value_ms("layer3 int8") == 90.0
    assert found.unmeasured >= 1
    assert found.gain == pytest.approx(50 / 90)
    assert clock.now == 120.0
    assert cockpit.allowed_s[1:] == [2.0, 2.0], "what is measured late gets little time"


def test_an_outcome_is_kept_as_json_and_made_again():
    found = Outcome(CELL, {"output": [50.0]}, "output", 49.0, 51.0, 2, JPEG, 3)
    assert Outcome(CELL, **found.kept()) == found
