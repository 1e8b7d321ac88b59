"""The circuit breaker, state by state, on a clock that the tests turn."""

from __future__ import annotations

import logging

import pytest
from kits.edge import value

from edge.metrics import CIRCUIT_STATES, EdgeMetrics
from edge.uplink.circuit import COOL_DOWN_S, FAILURES_TO_OPEN, Circuit, State


class Kit:
    def __init__(self):
        self.now = 1000.0
        self.metrics = EdgeMetrics()
        self.opened = 0
        self.circuit = Circuit(self.metrics.circuit_state, lambda: self.now, self.count_opened)

    def count_opened(self):
        self.opened += 1

    @property
    def state(self):
        return self.circuit.state

    def gauges(self):
        return {state: value(self.metrics, "circuit_state", state=state) for state in CIRCUIT_STATES}

    def fail(self, times=1):
        for _ in range(times):
            self.circuit.failed("late", self.circuit.era)

    def open(self):
        self.fail(FAILURES_TO_OPEN)
        assert self.state is State.OPEN
        return self

    def half_open(self):
        self.open()
        self.now += COOL_DOWN_S
        self.circuit.probe_answered(well=True)
        assert self.state is State.HALF_OPEN
        return self

    def fail_trial(self):
        """From half open to open again."""
        assert self.circuit.allows()
        self.fail()
        assert self.state is State.OPEN

    def wait_for_probe(self):
        """Seconds until a probe is wanted, to a quarter of a second."""
        waited = 0.0
        while not self.circuit.wants_probe():
            self.now += 0.25
            waited += 0.25
        return waited


@pytest.fixture
def kit():
    return Kit()


def test_closed_lets_everything_through(kit):
    assert all(kit.circuit.allows() for _ in range(100))
    assert not kit.circuit.wants_probe()


def test_failures_in_a_row_open_it(kit, caplog):
    kit.fail(FAILURES_TO_OPEN - 1)
    assert kit.state is State.CLOSED
    kit.fail()
    assert kit.state is State.OPEN
    assert not kit.circuit.allows()
    (line,) = caplog.records
    assert line.levelno == logging.WARNING
    assert "3 frames in a row failed (late); the edge answers by itself" in line.getMessage()


def test_a_success_starts_the_count_again(kit):
    for _ in range(5):
        kit.fail(FAILURES_TO_OPEN - 1)
        kit.circuit.succeeded()
    assert kit.state is State.CLOSED


def test_open_wants_a_probe_after_the_cool_down(kit):
    kit.open()
    assert not kit.circuit.wants_probe()
    kit.now += COOL_DOWN_S - 0.01
    assert not kit.circuit.wants_probe()
    kit.now += 0.01
    assert kit.circuit.wants_probe()


def test_a_probe_that_fails_does_not_back_off(kit):
    kit.open()
    for _ in range(10):
        assert kit.wait_for_probe() == COOL_DOWN_S
        kit.circuit.probe_answered(well=False)
        assert kit.state is State.OPEN


def test_a_probe_that_succeeds_allows_one_trial(kit):
    kit.half_open()
    assert [kit.circuit.allows() for _ in range(4)] == [True, False, False, False]
    assert not kit.circuit.wants_probe()


def test_the_trial_closes_it(kit, caplog):
    caplog.set_level(logging.INFO)
    kit.half_open()
    kit.circuit.allows()
    kit.circuit.succeeded()
    assert kit.state is State.CLOSED
    assert kit.circuit.allows()
    assert kit.circuit.allows()
    assert [line.levelname for line in caplog.records] == ["WARNING", "INFO", "INFO"]


def test_a_failed_trial_starts_the_cool_down_again(kit):
    kit.half_open()
    for _ in range(3):
        kit.fail_trial()
        assert kit.wait_for_probe() == COOL_DOWN_S
        kit.circuit.probe_answered(well=True)


def test_a_whole_deadline_of_silence_opens_at_once_and_tells(kit):
    kit.circuit.succeeded()
    kit.now += 1
    kit.circuit.failed("late", kit.circuit.era, kit.now - 1)
    assert kit.state is State.CLOSED, "the cloud answered something since that frame was sent"
    assert kit.opened == 0
    kit.circuit.failed("late", kit.circuit.era, kit.now - 0.5)
    assert kit.state is State.OPEN
    assert kit.opened == 1


def test_a_trial_that_was_not_sent_is_handed_out_again(kit):
    kit.half_open()
    assert kit.circuit.allows()
    kit.circuit.released(kit.circuit.era)
    assert kit.circuit.allows()
    assert not kit.circuit.allows()


def test_it_can_be_opened_by_hand(kit, caplog):
    kit.circuit.open("no cloud")
    assert kit.state is State.OPEN
    assert not kit.circuit.allows()
    assert "no cloud; the edge answers by itself" in caplog.text


@pytest.mark.parametrize("well", [True, False])
def test_a_probe_counts_only_while_it_is_open(kit, well):
    kit.circuit.probe_answered(well=well)
    assert kit.state is State.CLOSED
    kit.half_open()
    kit.circuit.probe_answered(well=well)
    assert kit.state is State.HALF_OPEN


# --- frames that were sent before the state changed ---------------------------------------------------------------


def test_a_late_failure_while_open_changes_nothing(kit):
    sent = kit.circuit.era
    kit.open()
    for _ in range(5):
        kit.circuit.failed("late", sent)
    assert kit.wait_for_probe() == COOL_DOWN_S


def test_a_late_failure_does_not_fail_the_trial(kit):
    sent = kit.circuit.era
    kit.half_open()
    assert kit.circuit.allows()
    kit.circuit.failed("late", sent)
    assert kit.state is State.HALF_OPEN
    assert not kit.circuit.allows(), "the trial is still under way"
    kit.circuit.succeeded()
    assert kit.state is State.CLOSED
    kit.open()
    assert kit.wait_for_probe() == COOL_DOWN_S, "nor did it double anything"


def test_late_failures_do_not_open_it_again(kit):
    sent = kit.circuit.era
    kit.half_open()
    kit.circuit.allows()
    kit.circuit.succeeded()
    for _ in range(5):
        kit.circuit.failed("late", sent)
    assert kit.state is State.CLOSED


def test_a_late_success_while_open_does_not_close_it(kit):
    kit.open()
    kit.circuit.succeeded()
    assert kit.state is State.OPEN
    assert not kit.circuit.allows()


def test_a_late_success_while_half_open_closes_it(kit):
    """An answer in time is an answer in time, the trial's or not."""
    kit.half_open()
    kit.circuit.succeeded()
    assert kit.state is State.CLOSED


def test_a_late_release_hands_out_no_second_trial(kit):
    sent = kit.circuit.era
    kit.half_open()
    assert kit.circuit.allows()
    kit.circuit.released(sent)
    assert not kit.circuit.allows()


# --- the gauge ----------------------------------------------------------------------------------------------------


def test_the_gauge_is_one_for_the_state_and_nothing_else(kit):
    seen = [kit.gauges()]
    kit.open()
    seen.append(kit.gauges())
    kit.now += COOL_DOWN_S
    kit.circuit.probe_answered(well=True)
    seen.append(kit.gauges())
    kit.circuit.allows()
    kit.circuit.succeeded()
    seen.append(kit.gauges())
    expected = ["closed", "open", "half_open", "closed"]
    assert seen == [{state: float(state == name) for state in CIRCUIT_STATES} for name in expected]


def test_the_metrics_know_every_state():
    assert set(CIRCUIT_STATES) == set(State)
