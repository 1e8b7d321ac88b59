"""starting -> ready -> draining -> stopped: every other move is a bug, and the gauge follows."""

from __future__ import annotations

from itertools import product

import pytest
from prometheus_client import Gauge

from cloud.lifecycle import Lifecycle, State
from shared.errors import UnavailableError

ROUTES = {
    State.STARTING: [],
    State.READY: [State.READY],
    State.DRAINING: [State.READY, State.DRAINING],
    State.STOPPED: [State.STOPPED],
}
LEGAL = {
    (State.STARTING, State.READY),
    (State.STARTING, State.STOPPED),
    (State.READY, State.DRAINING),
    (State.DRAINING, State.STOPPED),
}


def lifecycle_in(state: State) -> tuple[Lifecycle, Gauge]:
    gauge = Gauge("ready", "1 while ready.", registry=None)
    lifecycle = Lifecycle(gauge)
    for step in ROUTES[state]:
        lifecycle.move(step)
    assert lifecycle.state is state
    return lifecycle, gauge


@pytest.mark.parametrize(("start", "end"), list(product(State, State)))
def test_only_the_moves_of_the_table_are_possible(start: State, end: State) -> None:
    lifecycle, _ = lifecycle_in(start)
    if (start, end) in LEGAL:
        lifecycle.move(end)
        assert lifecycle.state is end
    else:
        with pytest.raises(AssertionError, match=f"{start} -> {end}"):
            lifecycle.move(end)
        assert lifecycle.state is start


@pytest.mark.parametrize("state", State)
def test_frames_are_taken_and_the_gauge_is_one_only_while_ready(state: State) -> None:
    lifecycle, gauge = lifecycle_in(state)
    assert gauge._value.get() == (1 if state is State.READY else 0)
    if state is State.READY:
        lifecycle.require_ready()
    else:
        with pytest.raises(UnavailableError, match=f"the server is {state}") as refused:
            lifecycle.require_ready()
        assert (refused.value.status, refused.value.retryable) == (503, True)
