"""The tables of a run."""

from __future__ import annotations

import statistics
from collections import Counter
from typing import TYPE_CHECKING

from bench.report.report import Table
from bench.report.spread import percentile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.report.report import Cell
    from bench.soak.fleet.edge import FrameRecord
    from bench.soak.fleet.outcome import Outcome
    from bench.soak.fleet.promises import Promise


def tables(outcome: Outcome, promises: Sequence[Promise], setting: str) -> list[Table]:
    """`setting`: who ran, in one sentence."""
    rows: list[dict[str, Cell]] = [
        {
            "promise": each.name,
            "wanted": each.wanted,
            "found": each.found,
            "kept": "yes" if each.kept else "NO",
        }
        for each in promises
    ]
    return [
        Table("fleet", "What a fleet promises", setting, rows),
        Table("fleet-frames", "Frames", _FRAMES, [_frames("without faults", outcome.calm), _frames("under faults", outcome.faulted)]),
        Table("fleet-clouds", "Clouds", _CLOUDS, _clouds(outcome)),
    ]  # fmt: skip


_FRAMES = (
    "Latency: from when a frame was due to its record. Sent twice: after a broken connection, or a balancer's 502 or 503. At a kill: under way when any "
    "cloud was killed."
)
_CLOUDS = "By the clouds' own ledgers, while there were faults. Alive: from ready to killed. Again: frames that another cloud, or the same, had answered already, but whose answer was lost."


def _frames(name: str, records: Sequence[FrameRecord]) -> dict[str, Cell]:
    ms = [1e3 * each.latency_s for each in records]
    fallbacks = Counter(each.fallback for each in records if each.fallback)
    return {
        "": name,
        "frames": len(records),
        "by clouds": sum(each.answered_by == "cloud" for each in records),
        "by the edge": ", ".join(f"{count} {why}" for why, count in sorted(fallbacks.items())) or 0,
        "sent twice": sum(each.sends > 1 for each in records),
        "median, ms": statistics.median(ms) if ms else None,
        "p99, ms": percentile(ms, 99) if ms else None,
        "slowest, ms": max(ms, default=None),
    }


def _clouds(outcome: Outcome) -> list[dict[str, Cell]]:
    rows: list[dict[str, Cell]] = [
        {
            "": each.name,
            "kills": sum(life.end is not None for life in each.lives),
            "alive, s": outcome.alive_s_of(each),
            "frames": outcome.frames_of(each),
            "frames/s alive": outcome.rate_of(each),
        }
        for each in outcome.clouds
    ]
    hit = outcome.under_way_at_kills()
    again = sum(count - 1 for count in outcome.computed.values())
    by = Counter(each.answered_by for each in hit)
    rows.append(
        {
            "": "all",
            "kills": len(outcome.kills()),
            "frames": sum(map(outcome.frames_of, outcome.clouds)),
            "computed again": again,
            "under way at a kill": f"{len(hit)}: {by['cloud']} by a cloud, {by['edge']} by the edge",
        }
    )
    return rows
