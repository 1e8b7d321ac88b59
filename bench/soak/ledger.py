"""Every frame of an edge against every line of the cloud's ledger: what was lost, answered too often, or never sent."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from edge.output.results import Record

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence
    from pathlib import Path

Row = dict[str, Any]
"""One JSON line, of the edge's records or of the cloud's ledger."""

ANSWERED_BY = ("cloud", "edge", "still")
OUTCOMES = ("answered", "refused", "abandoned")
MAX_ANSWERS = 2
"""An edge sends a frame once more if its connection breaks, even if only the answer was lost."""
_NUMBER_BITS = 32
_OF_EVERY_TASK = {field.name for field in dataclasses.fields(Record)}
"""Keys of a record; the others are the answer's own."""


def read_rows(path: Path) -> list[Row]:
    """The JSON lines of a file. One without an end is being written, or its writer was killed: it is left out."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_bytes().split(b"\n")[:-1] if line]


def session_of(frame_id: str) -> int:
    """The part of the frame id that all frames of one run of an edge share."""
    return int(frame_id, 16) >> _NUMBER_BITS


def sessions(records: Sequence[Row]) -> set[int]:
    """The sessions of these records: one if all is well, none if there are no records."""
    return {session_of(record["frame_id"]) for record in records}


def account(records: Sequence[Row], *, frames_in: int, dropped: int = 0) -> dict[str, int]:
    """What became of the frames that one edge has read; `frames_in` and `dropped` are the edge's own counts.

    `difference` is how many frames are unaccounted for: 0, or something is broken.
    """
    by = Counter(record["answered_by"] for record in records)
    known = {name: by[name] for name in ANSWERED_BY} | {"dropped": dropped, "nobody": by["nobody"]}
    return {"frames in": frames_in, **known, "difference": frames_in - sum(known.values())}


def faults_of(
    records: Sequence[Row],
    ledger: Sequence[Row],
    *,
    frames_in: int,
    dropped: int = 0,
    most_answers: int = MAX_ANSWERS,
) -> list[str]:
    """What is wrong, one line for each violation, in the order of frames; empty if nothing is.

    The ledger must hold no other edge's lines, see `lines_of`. `most_answers`: how often it may say of a frame that it was answered.
    """
    return [*_order(records, frames_in, dropped), *_answers(records), *_join(records, ledger, most_answers)]


def lines_of(ledger: Iterable[Row], records: Sequence[Row]) -> list[Row]:
    """The lines of the run that made these records."""
    own = sessions(records)
    return [line for line in ledger if line["frame_id"] and session_of(line["frame_id"]) in own]


def strangers(ledger: Iterable[Row], known: Collection[int]) -> list[str]:
    """The lines of a shared ledger whose frame ids are of none of these sessions."""
    return [
        f"the ledger has a line of frame id {line['frame_id']}, which no edge has sent"
        for line in ledger
        if line["frame_id"] and session_of(line["frame_id"]) not in known
    ]


def _order(records: Sequence[Row], frames_in: int, dropped: int) -> Iterator[str]:
    """Exactly once, in order, and no more missing than were dropped by policy."""
    expected, missing = 0, list[int]()
    for record in records:
        number = record["frame"]
        if number < expected:
            yield f"frame {number} comes after frame {expected - 1}: twice, or out of order"
            continue
        missing += range(expected, number)
        expected = number + 1
    missing += range(expected, frames_in)
    if len(missing) != dropped:
        first = f", the first of them frame {missing[0]}" if missing else ""
        yield f"{len(missing)} frames have no record{first}; {dropped} were dropped by policy"
    if expected > frames_in:
        yield f"frame {expected - 1} has a record, but only {frames_in} frames were read"
    difference = account(records, frames_in=frames_in, dropped=dropped)["difference"]
    if difference:
        yield f"{frames_in} frames in, and {difference} of them are neither answered nor dropped"


def _answers(records: Sequence[Row]) -> Iterator[str]:
    for record in records:
        by = record["answered_by"]
        if by not in ANSWERED_BY:
            yield f"frame {record['frame']} was answered by {by} (fallback {record['fallback']})"
        elif not any(value for key, value in record.items() if key not in _OF_EVERY_TASK):
            # Of every task, an answer that says nothing at all; a picture without any box has a size.
            yield f"frame {record['frame']} was answered by {by} without any answer"


def _join(records: Sequence[Row], ledger: Sequence[Row], most_answers: int) -> Iterator[str]:
    outcomes: dict[str, list[str]] = {}
    for line in ledger:
        if line["outcome"] not in OUTCOMES:
            yield f"the ledger says {line['outcome']!r} of frame id {line['frame_id']}"
        elif line["frame_id"]:
            outcomes.setdefault(line["frame_id"], []).append(line["outcome"])
        elif line["outcome"] == "answered":
            yield "the ledger says 'answered' of a frame without an id"
    numbers: dict[str, int] = {}
    for record in records:
        number, frame_id = record["frame"], record["frame_id"]
        known = outcomes.get(frame_id, [])
        if frame_id in numbers:
            yield f"frame {number} has the frame id {frame_id} of frame {numbers[frame_id]}"
        elif int(frame_id, 16) & (1 << _NUMBER_BITS) - 1 != number:
            yield f"frame {number} has the frame id {frame_id}, which ends in another number"
        elif record["answered_by"] == "cloud" and "answered" not in known:
            said = f"only {', '.join(known)}" if known else "nothing"
            yield f"frame {number} ({frame_id}) was answered by the cloud, but its ledger says {said} of it"
        if known.count("answered") > most_answers:
            yield f"frame {number} ({frame_id}) was answered {known.count('answered')} times"
        numbers[frame_id] = number
    if len(sessions(records)) > 1:
        yield "the records are of several runs: their frame ids do not begin alike"
    for frame_id in outcomes.keys() - numbers.keys():
        yield f"the ledger has a line of frame id {frame_id}, which no record names"
