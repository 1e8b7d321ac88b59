"""Edges' records joined with the ledgers of all clouds, phase by phase: what was lost, what was recorded twice, who answered."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kits.chaos import captured

from bench.soak.ledger import faults_of, lines_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bench.soak.ledger import Row

_HEADINGS = (
    "while",
    "read",
    "dropped",
    "recorded",
    "lost",
    "twice",
    "by a cloud",
    "by the edge, why",
    "slowest ms",
)


@dataclass
class Account:
    """What happened when, and what the edges recorded meanwhile."""

    phases: list[tuple[str, float]] = field(default_factory=list)
    """Name and wall-clock time of the beginning of each, in order."""

    def faults(self, records: Sequence[Row], ledger: Sequence[Row], counts: Mapping[str, int]) -> list[str]:
        """What is wrong with one edge's records; `ledger` are all clouds' lines, `counts` what the edge itself has counted."""
        return faults_of(
            records, lines_of(ledger, records), frames_in=counts["frames in"], dropped=counts["dropped"]
        )

    def table(self, edges: Mapping[str, Sequence[Row]], counts: Mapping[str, Mapping[str, int]]) -> str:
        """A line for each phase and one for all: frames by when they were read. `edges`: slot -> records."""
        rows = [list(_HEADINGS)]
        every = [row for records in edges.values() for row in records]
        ends = [*(begin for _, begin in self.phases[1:]), float("inf")]
        for (name, begin), end in zip(self.phases, ends, strict=True):
            rows.append(_line(name, [row for row in every if begin <= captured(row) < end]))
        total = _line("in all", every)
        read, dropped = (sum(each[name] for each in counts.values()) for name in ("frames in", "dropped"))
        total[1:3] = [str(read), str(dropped)]
        total[4] = str(read - dropped - len({row["frame_id"] for row in every}))
        rows.append(total)
        widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADINGS))]
        return "\n".join(
            "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
            for row in rows
        )

    @staticmethod
    def clouds(ledgers: Mapping[str, Sequence[Row]]) -> str:
        """A line for each cloud that ever was: what its ledger says became of frames."""
        found = []
        for name, lines in ledgers.items():
            outcomes = Counter(line["outcome"] for line in lines if line["frame_id"])
            found.append(
                f"{name}: " + ", ".join(f"{count} {what}" for what, count in sorted(outcomes.items()))
            )
        return "\n".join(found)

    @staticmethod
    def computed_again(records: Sequence[Row], ledger: Sequence[Row]) -> int:
        """Frames that clouds have answered more than once, each recorded once: what a cut cost."""
        answered = Counter(
            line["frame_id"] for line in lines_of(ledger, records) if line["outcome"] == "answered"
        )
        return sum(count > 1 for count in answered.values())


def _line(name: str, records: Sequence[Row]) -> list[str]:
    numbers = Counter((row["frame_id"]) for row in records)
    by_edge = Counter(str(row["fallback"]) for row in records if row["answered_by"] == "edge")
    why = ", ".join(f"{count} {reason}" for reason, count in by_edge.most_common())
    by_cloud = sum(row["answered_by"] == "cloud" for row in records)
    lost = missing(records)
    return [
        name, str(len(numbers) + lost), "", str(len(records)), str(lost), str(len(records) - len(numbers)), str(by_cloud),
        f"{sum(by_edge.values())}{f' ({why})' if why else ''}",
        f"{max((row['latency_ms'] for row in records), default=0):.0f}",
    ]  # fmt: skip


def missing(records: Sequence[Row]) -> int:
    """Frames between the first and the last of each run that have no record."""
    numbers: dict[str, set[int]] = {}
    for row in records:
        numbers.setdefault(row["frame_id"][:8], set()).add(row["frame"])
    return sum(max(each) - min(each) + 1 - len(each) for each in numbers.values())
