"""What a fleet promises, each with what was found: a run that keeps them all ends with exit status 0."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.report.spread import percentile

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from bench.soak.fleet.outcome import Outcome

MAX_LOAD = 0.5
MAX_P99 = 3.0
MAX_APART = 1.15
MIN_BY_CLOUDS = 0.9
MIN_KILLS = 0.7
_ALLOWED = frozenset({None, "unreachable", "busy", "late"})
"""Why an edge may answer by itself: the cloud was away, or too slow. What else there is means that something is wrong."""


@dataclass(frozen=True)
class Promise:
    """One sentence, and whether it held."""

    name: str
    wanted: str
    found: str
    kept: bool
    is_of_speed: bool = False
    """It depends on what else the machine does."""


def judge(outcome: Outcome) -> list[Promise]:
    """All promises, in the order of the report."""
    return [*_frames(outcome), *_answers(outcome), *_times(outcome), *_faults(outcome)]


def _none(name: str, count: int, example: str = "") -> Promise:
    return Promise(name, "0", f"{count}{f' ({example})' if count and example else ''}", not count)


def _frames(outcome: Outcome) -> Iterator[Promise]:
    """Every frame that was made has one record, and what a cloud says and an edge says agree."""
    recorded, due = outcome.recorded, outcome.due
    yield _none("frames without a record", *_ids(due - recorded.keys()))
    yield _none("frames recorded twice", *_ids({each for each, count in recorded.items() if count > 1}))
    yield _none("records of frames that were never made", *_ids(recorded.keys() - due))
    by_cloud = {each.frame_id for each in outcome.records if each.answered_by == "cloud"}
    yield _none("answers of a cloud that no ledger knows", *_ids(by_cloud - outcome.computed.keys()))
    yield _none("ledgers' answers to frames that were never made", *_ids(outcome.computed.keys() - due))


def _answers(outcome: Outcome) -> Iterator[Promise]:
    wrong = [each.frame_id for each in outcome.records if each.class_id != each.expected]
    yield _none("wrong answers", *_ids(wrong))
    odd = [each for each in outcome.records if each.fallback not in _ALLOWED]
    yield _none("frames refused by a cloud", len(odd), odd[0].fallback or "" if odd else "")
    total = len(outcome.faulted)
    share = sum(each.answered_by == "cloud" for each in outcome.faulted) / total if total else 0.0
    yield Promise(
        "share answered by clouds",
        f"at least {MIN_BY_CLOUDS:.0%}",
        f"{share:.2%}",
        share >= MIN_BY_CLOUDS,
        is_of_speed=True,
    )
    wrong_at_real = outcome.real_faults
    if wrong_at_real or outcome.real_records:
        name = f"faults in {outcome.real_records} records of real edges"
        yield _none(name, len(wrong_at_real), wrong_at_real[0] if wrong_at_real else "")


def _times(outcome: Outcome) -> Iterator[Promise]:
    late = [each.frame_id for each in outcome.records if outcome.waited_s(each) > outcome.deadline_s]
    yield _none("frames answered after their deadline", *_ids(late))
    hit = outcome.under_way_at_kills()
    overdue = [each.frame_id for each in hit if outcome.waited_s(each) > outcome.deadline_s]
    slowest = max(map(outcome.waited_s, hit), default=0.0)
    yield Promise(
        "under way at a kill, answered in time", "all", f"{len(hit) - len(overdue)} of {len(hit)}, the slowest in {slowest:.2f} s",
        not overdue,
    )  # fmt: skip
    latencies = [each.latency_s for each in outcome.faulted]
    if latencies:
        ratio = percentile(latencies, 99) / statistics.median(latencies)
        yield Promise(
            "p99 over median", f"at most {MAX_P99:g}", f"{ratio:.2f}", ratio <= MAX_P99, is_of_speed=True
        )
    load = outcome.offered_per_s / outcome.capacity_per_s
    yield Promise(
        "load over what all clouds but one can do", f"at most {MAX_LOAD:g}", f"{load:.2f}", load <= MAX_LOAD
    )
    rates = [outcome.rate_of(each) for each in outcome.clouds]
    apart = max(rates) / min(rates) if min(rates) else float("inf")
    yield Promise(
        "frames/s alive, the busiest cloud over the idlest", f"at most {MAX_APART:g}", f"{apart:.2f}", apart <= MAX_APART,
        is_of_speed=True,
    )  # fmt: skip


def _faults(outcome: Outcome) -> Iterator[Promise]:
    """A run without faults would promise nothing."""
    kills = len(outcome.kills())
    wanted = max(1, round(MIN_KILLS * outcome.kills_due))
    yield Promise("clouds killed", f"at least {wanted}", str(kills), kills >= wanted, is_of_speed=kills > 0)
    yield Promise("links cut", "at least 1", str(outcome.cuts), outcome.cuts >= 1)


def _ids(found: Iterable[int]) -> tuple[int, str]:
    ids = sorted(found)
    return len(ids), f"frame id {ids[0]:016x} …" if ids else ""
