"""How soon the planner follows a sudden change of the link, and whether it stays put on a link that is only noisy."""

from __future__ import annotations

import itertools
import statistics
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from bench.emulator.link import Link
from bench.report.report import Cell, Table
from edge.planning.pilot import PlannedPilot

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.emulator.thread import EmulatorThread
    from bench.link.flight import Cockpit, Flight
    from edge.metrics import EdgeMetrics
    from edge.planning.costs.tail_times import TailTimes
    from edge.planning.planner import Decision, Option
    from edge.uplink.uplink import Uplink

SLOWDOWN = 3.0
"""With this, pictures are clearly better on the fast link, and sending nothing on the slow one."""
_HOLD_S = 15.0
_NOISY_S = 120.0
_FAST = Link(up_bits_per_s=20e6, down_bits_per_s=20e6, delay_s=0.01)
_SLOW = replace(_FAST, up_bits_per_s=2e6)
_NOISY = replace(_FAST, jitter_s=0.02, loss=0.002, stall_s=0.1)


class _Watched(PlannedPilot):
    """A planned pilot that records its switches."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        self.switches: list[tuple[float, str, float]] = []
        """When another plan came into force, its name, and the seconds that the switch took."""
        super().__init__(*arguments, **named)

    def _put_into_force(self, decision: Decision) -> Option:
        start = time.perf_counter()
        option = super()._put_into_force(decision)
        if decision.reason != "first":
            self.switches.append((time.monotonic(), option.name, time.perf_counter() - start))
        return option


def steps(cockpit: Cockpit, times: TailTimes, emulator: EmulatorThread, *, short: bool) -> Table:
    """20 -> 2 -> 20 -> 2 -> 20 Mbit/s, and then a steady link with jitter and loss; one row for each part of the trace."""
    slow = cockpit.slowed(SLOWDOWN)
    make_pilot = slow.planned(times, _Watched)

    def play(trace: Sequence[tuple[float, Link]]) -> list[dict[str, Cell]]:
        began = [0.0]

        def watched(uplink: Uplink, metrics: EdgeMetrics) -> PlannedPilot:
            pilot = make_pilot(uplink, metrics)
            began[0] = time.monotonic()
            emulator.play(trace)
            return pilot

        seconds = sum(seconds for seconds, _ in trace)
        flight = slow.fly(watched, one_by_one=True, frames=100_000, seconds=seconds)
        return _rows(trace, began[0], flight)

    hold_s, noisy_s = (3.0, 5.0) if short else (_HOLD_S, _NOISY_S)
    rows = play([(hold_s, link) for link in (_FAST, _SLOW, _FAST, _SLOW, _FAST)]) + play([(noisy_s, _NOISY)])
    note = (
        f"Edge slowed {SLOWDOWN:g} times, agreement at least {cockpit.settings.min_agreement:g}, 20 ms round trip, one frame after another. "
        "`after s` and `after frames`: from the step to the first switch; `lost`: frames read but not answered; `switch ms`: the "
        "longest time that a switch took. The last row's link has 0 to 20 ms of jitter and 0.2 % of segments lost, 100 ms each."
    )
    return Table("link-steps", "Steps of the link, and noise", note, rows)


def _rows(
    trace: Sequence[tuple[float, Link]],
    start: float,
    flight: Flight,
) -> list[dict[str, Cell]]:
    rows: list[dict[str, Cell]] = []
    lost = sum(record.answered_by == "nobody" for record in flight.records) + flight.unanswered
    for seconds, link in trace:
        found = [each for each in flight.pilot.switches if start <= each[0] < start + seconds]
        first = found[0][0] if found else None
        arrived = [at for at in flight.arrived if start <= at < start + seconds]
        gaps = [later - sooner for sooner, later in itertools.pairwise(arrived)]
        rows.append(
            {
                "link": f"{link.up_bits_per_s / 1e6:g} Mbit/s" + (", noisy" if link.jitter_s else ""),
                "seconds": seconds,
                "frames": len(arrived),
                "lost": lost,
                "switches": len(found),
                "to": found[-1][1] if found else "",
                "after s": first - start if first else None,
                "after frames": sum(at < first for at in arrived) if first else None,
                "switch ms": max((1e3 * each[2] for each in found), default=None),
                "frame ms": 1e3 * statistics.median(gaps) if gaps else None,
            }
        )
        start += seconds
    return rows
