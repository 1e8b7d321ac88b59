"""The result of a soak: the join of all records with the ledger, one table, and what is wrong."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.soak.ledger import account, faults_of, lines_of, read_rows, sessions, strangers

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from bench.soak.edge import EdgeProcess
    from bench.soak.faults import Breaker
    from bench.soak.ledger import Row
    from bench.soak.watch import Watch

_MAX_FAULTS = 20


@dataclass(frozen=True)
class Findings:
    """The table, and what is wrong, one line each."""

    text: str
    faults: list[str]


@dataclass(frozen=True)
class Played:
    """One edge that has ended."""

    name: str
    records: Sequence[Row]
    frames_in: int
    dropped: int

    def account(self) -> dict[str, int]:
        return account(self.records, frames_in=self.frames_in, dropped=self.dropped)


def findings_of(
    edges: Sequence[EdgeProcess],
    ledger: Path,
    watches: Sequence[Watch],
    breaker: Breaker,
    why: str,
    faults: Sequence[str],
) -> Findings:
    """After all edges have ended; `faults` were seen then. Raises RuntimeError if one gave no summary."""
    played = [Played(edge.name, read_rows(edge.results), *edge.frames_in()) for edge in edges]
    lines = read_rows(ledger)
    faults = [*faults, *joined(played, lines)]
    for watch in watches:
        faults += watch.faults()
    parts = [
        *frame_table({each.name: each.account() for each in played}),
        f"fallbacks: {_counts(Counter(str(r['fallback']) for each in played for r in each.records if r['fallback']))}",
        f"ledger: {_counts(Counter(line['outcome'] for line in lines))}",
        f"faults injected: {_counts(breaker.done)}",
        f"cloud from start to ready: {_spread(breaker.recoveries_s)}",
        "",
        "after warm-up -> at the end",
        *(watch.row() for watch in watches if watch.judged),
        f"ended too soon to be judged: {sum(not watch.judged for watch in watches)}",
        "",
        f"{why}.",
        *(faults[:_MAX_FAULTS] or ["Nothing was lost, and nothing grew."]),
        *([f"… and {len(faults) - _MAX_FAULTS} more"] if len(faults) > _MAX_FAULTS else []),
    ]
    return Findings("\n".join(parts), faults)


def joined(played: Sequence[Played], ledger: Sequence[Row]) -> list[str]:
    """Where the records and the ledger, which all edges share, differ."""
    known = {session for each in played for session in sessions(each.records)}
    found = strangers(ledger, known)
    for each in played:
        own = lines_of(ledger, each.records)
        wrong = faults_of(each.records, own, frames_in=each.frames_in, dropped=each.dropped)
        found += [f"{each.name}: {fault}" for fault in wrong]
    return found


def frame_table(accounts: Mapping[str, Mapping[str, int]]) -> list[str]:
    """One line for each edge, and their sum."""
    total = Counter[str]()
    for each in accounts.values():
        total.update(each)
    return [
        " " * 10 + "".join(f"{column:>12}" for column in total),
        *(
            f"{name:<10}" + "".join(f"{value:>12}" for value in each.values())
            for name, each in {**accounts, "all": total}.items()
        ),
    ]


def _counts(counter: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counter.items())) or "none"


def _spread(seconds: Sequence[float]) -> str:
    return f"{min(seconds):.1f} to {max(seconds):.1f} s" if seconds else "it was not restarted"
