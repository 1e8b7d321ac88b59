"""`python -m bench events`: events of drawn records to a broker and a webhook's receiver that fail at random.

They are derived anew from the records and joined with those that arrived: none may be missing, strange or out of order. What they cost
a frame is measured by rounds with events and rounds without, in turn.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import subprocess
import sys
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.harness.keys import Keys
from bench.harness.options import ReportOptions, kept_or_temporary, number_between, option, positive
from bench.harness.process import HERE
from bench.report.report import Cell, Findings, Table, about, publish
from bench.report.spread import over_rounds
from bench.soak.events.edge import Edge
from bench.soak.events.join import Joined, derive, join
from bench.soak.events.records import CAMERAS, draw_records
from shared.observing.json_lines import encoded

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bench.soak.events.join import What

_TARGETS = ("broker", "receiver")
_END_S = 30.0
_MOST_CPU_MS = 0.2


@dataclass(frozen=True)
class EventsOptions(ReportOptions):
    """Deliver the events of drawn records to targets that fail at random; join what arrived with what the records say. Minutes.

    Exit status 1 if an event is missing, strange or out of order, or a frame costs more than it may.
    """

    command = "events"

    frames: int = option(72_000, "in all", quick=12_000, type=positive)
    rounds: int = option(12, "runs of the edge, one after another", quick=6, type=positive)
    rate: float = option(1500.0, "frames/s", type=number_between(float, 1, 1e5))
    patience: float = option(
        120.0, "seconds after the last frame in which everything has to arrive", quick=30.0,
        type=number_between(float, 1, 3600),
    )  # fmt: skip
    seed: int = option(0, "of the records and of the failures")
    busy: bool = option(False, "the machine has other work: what a frame costs is reported, and may be more")
    folder: Path | None = option(
        None, "keep records and what arrived there (default: they are removed)", type=Path
    )


@dataclass(frozen=True)
class Outcome:
    """Everything that was found."""

    joined: dict[str, Joined]
    counts: dict[str, dict[str, float]]
    faults: dict[str, int]
    with_ms: list[float]
    """CPU of a frame, of each round."""
    without_ms: list[float]

    @property
    def added_ms(self) -> list[float]:
        return [more - less for more, less in zip(self.with_ms, self.without_ms, strict=True)]

    def broken(self, *, busy: bool) -> list[str]:
        """The promises that were not kept."""
        found = [
            f"{name}: {what} {count}"
            for name, each in self.joined.items()
            for what, count in (("difference", each.difference), ("out of order", each.out_of_order))
            if count
        ]
        found += [f"lost: {key} {count:.0f}" for key, count in self.counts["lost"].items()]
        if not any(each.expected for each in self.joined.values()):
            found.append("nothing happened in these records")
        added = over_rounds(self.added_ms).median
        if added > _MOST_CPU_MS and not busy:
            found.append(f"a frame costs {added:.3f} ms more; at most {_MOST_CPU_MS} is promised")
        return found


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """That targets fail is meant, and not worth a line each."""
    log = logging.getLogger("edge")
    before = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(before)


def main(arguments: Sequence[str]) -> int:
    """Exit status 1 if a promise is broken, 2 if it could not be run to its end."""
    options = EventsOptions.read(arguments)
    with _quiet(), kept_or_temporary(options.folder) as folder:
        try:
            outcome = asyncio.run(_run(options, folder))
        except (RuntimeError, OSError, subprocess.TimeoutExpired) as error:
            print(f"python -m bench events: {error}", file=sys.stderr)
            return 2
    found = Findings("none", tables(options, outcome))
    files = publish(options.results, "events", found, about("none", "drawn scenes"))
    print("\nwritten:", *files, sep="\n  ")
    broken = outcome.broken(busy=options.busy)
    for line in broken:
        print(f"broken: {line}", file=sys.stderr)
    for each in outcome.joined.values():
        print(*each.examples, sep="\n", end="\n" if each.examples else "", file=sys.stderr)
    return 1 if broken else 0


async def _run(options: EventsOptions, folder: Path) -> Outcome:
    Keys.make(folder, [])
    derived: dict[str, list[What]] = defaultdict(list)
    with_ms, without_ms = [], []
    with _targets(folder, options.seed) as (process, ports):
        edge = Edge(folder, ports, options.rate)
        for number in range(options.rounds):
            last = number == options.rounds - 1
            frames = options.frames // options.rounds + (options.frames % options.rounds if last else 0)
            records = list(draw_records(frames, options.seed + number))
            lines = [encoded(record.fields()).decode() for record in records]
            for camera, whats in derive(lines).items():
                derived[camera] += whats
            if number % 2:
                without_ms.append(1e3 * await edge.without(records) / frames)
            if last:
                _tell(process, "calm")
            with_ms.append(1e3 * await edge.run(records, options.patience if last else 0.0) / frames)
            if not number % 2:
                without_ms.append(1e3 * await edge.without(records) / frames)
            print(f"events: {number + 1} of {options.rounds} rounds", file=sys.stderr, flush=True)
    joined = {name: join(derived, list(_read(folder / f"{name}.jsonl"))) for name in _TARGETS}
    faults = json.loads((folder / "faults.json").read_text(encoding="utf-8"))
    return Outcome(joined, edge.counts, faults, with_ms, without_ms)


@contextlib.contextmanager
def _targets(folder: Path, seed: int) -> Iterator[tuple[subprocess.Popen[str], dict[str, int]]]:
    """The process of targets.py and its ports. After the block it has written what arrived."""
    command = [HERE.python, "-m", "bench.soak.events.targets", str(folder), str(seed)]
    process = subprocess.Popen(
        command, cwd=HERE.folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout
        line = process.stdout.readline()
        if not line:
            raise RuntimeError("the targets did not start; their own words are above")
        yield process, json.loads(line)
        assert process.stdin
        process.stdin.close()
        if process.wait(_END_S):
            raise RuntimeError(f"the targets ended with {process.returncode}")
    finally:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream:
                stream.close()


def _tell(process: subprocess.Popen[str], word: str) -> None:
    assert process.stdin
    process.stdin.write(f"{word}\n")
    process.stdin.flush()


def _read(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as file:
        yield from map(json.loads, file)


def tables(options: EventsOptions, outcome: Outcome) -> list[Table]:
    """What arrived, what failed, and what a frame costs."""
    arrived: list[dict[str, Cell]] = [
        {
            "target": name,
            "events": each.expected,
            "received": each.received,
            "missing": each.missing,
            "strange": each.strange,
            "out of order": each.out_of_order,
            "received once more": each.repeated,
        }
        for name, each in outcome.joined.items()
    ]
    failed: list[dict[str, Cell]] = [{"what": what, "times": count} for what, count in outcome.faults.items()]
    failed += [
        {"what": f"attempts of the edge: {key}", "times": round(count)}
        for key, count in outcome.counts["failures"].items()
    ]
    cost: list[dict[str, Cell]] = [
        {
            "with events, ms": over_rounds(outcome.with_ms),
            "without, ms": over_rounds(outcome.without_ms),
            "more, ms": over_rounds(outcome.added_ms),
            "at most, ms": _MOST_CPU_MS,
        }
    ]
    setting = (
        f"{options.frames} frames of {len(CAMERAS)} cameras in {options.rounds} runs, {options.rate:g} frames/s; each run takes up what the one before "
        "had not delivered. Events were derived anew from the records and joined with those that arrived; what arrived more than once counts once."
    )
    return [
        Table("events", "Events at targets that fail at random", setting, arrived),
        Table("events-failures", "What failed", "Times that it happened.", failed),
        Table(
            "events-cost",
            "CPU of a frame",
            "All threads of this process, over the frames of a round; the median of the rounds with the smallest and the largest. Rounds with "
            "events and without took turns; with events their delivery over TLS, its failures, and the start and end of a run are in it.",
            cost,
        ),
    ]
