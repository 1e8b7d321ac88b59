"""What a flood comes to: a table, and what is wrong."""

from __future__ import annotations

from collections import Counter
from http import HTTPStatus
from typing import TYPE_CHECKING

from bench.load.flood.visitor import LEFT
from bench.load.generator import FAILED
from bench.soak.report import Findings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from bench.load.flood.run import Outcome
    from bench.soak.ledger import Row

_MAX_FAULTS = 20
_CLIENT_BITS = 32


def judged(outcome: Outcome, ledger: Sequence[Row], names: Sequence[str]) -> Findings:
    """`ledger` is the cloud's, `names` are the clients'; both hold all requests, those before the flood included."""
    diary, watch = outcome.diary, outcome.watch
    faults = [*diary.faults, *watch.faults(), *_counted(outcome), *_of_ledger(ledger, diary.answered, names)]
    if outcome.unsent:
        faults.append(f"{outcome.unsent} requests were never sent")
    answered = Counter(diary.answered.values())
    statuses = ", ".join(f"{_named(status)} {count}" for status, count in sorted(diary.statuses.items()))
    lines = {
        "capacity": f"{outcome.capacity_per_s:.0f} answers/s",
        "offered": f"{outcome.offered_per_s:.0f} requests/s, {outcome.requests} in all; done after {outcome.seconds:.0f} s",
        "with those before": statuses,
        "left": ", ".join(f"{moment} {count}" for moment, count in sorted(diary.left.items())) or "nobody",
        "asked again": f"{diary.asked_again}, as the cloud had closed an idle connection",
        "connections": f"{diary.opened}; handshakes {_handshakes(outcome)}",
        "answers by client": " ".join(str(answered[client]) for client in range(len(names))),
        "ledger": ", ".join(
            f"{name} {count}" for name, count in sorted(Counter(row["outcome"] for row in ledger).items())
        ),
        "memory": f"{watch.row() if watch.judged else 'not seen'}; {outcome.peak / 1e6:.0f} MB at most",
    }
    text = [f"{name:<18} {value}" for name, value in lines.items()]
    text += [
        "",
        *(faults[:_MAX_FAULTS] or ["No answer was another's, none is missing, and nothing is left."]),
    ]
    if len(faults) > _MAX_FAULTS:
        text.append(f"… and {len(faults) - _MAX_FAULTS} more")
    return Findings("\n".join(text), faults)


def _counted(outcome: Outcome) -> Iterator[str]:
    """What the cloud's own counters say that must not be."""
    internal = _grown(outcome, "rejected_total", reason="internal")
    if internal:
        yield f"{internal:.0f} requests met an internal error of the cloud"
    closed = sum(outcome.after.by_label("splitdnn_cloud_connections_closed_total", "why").values())
    if outcome.diary.asked_again > closed:
        yield f"{outcome.diary.asked_again} requests were asked again, but the cloud says it closed {closed:.0f} connections"


def _of_ledger(ledger: Sequence[Row], answered: Mapping[int, int], names: Sequence[str]) -> Iterator[str]:
    """Frames that the ledger charges to another client than the one that sent them, and answers that it does not know."""
    known = set()
    for row in ledger:
        if not row["frame_id"]:
            continue
        frame_id = int(row["frame_id"], 16)
        sender = (frame_id >> _CLIENT_BITS) - 1
        if not 0 <= sender < len(names):
            yield f"the ledger has a line of frame id {frame_id:016x}, which nobody has sent"
        elif row["client"] != names[sender]:
            yield f"frame {frame_id:016x} is {names[sender]}'s, and the ledger says {row['client']}'s"
        if row["outcome"] == "answered":
            known.add(frame_id)
    missing = [frame_id for frame_id in answered if frame_id not in known]
    if missing:
        yield f"{len(missing)} frames were answered, and the ledger does not say so; the first is {missing[0]:016x}"


def _handshakes(outcome: Outcome) -> str:
    found = outcome.after.by_label("splitdnn_cloud_handshakes_total", "result")
    return ", ".join(f"{name} {count:.0f}" for name, count in sorted(found.items())) or "none"


def _grown(outcome: Outcome, name: str, **labels: str) -> float:
    before, after = (
        each.value(f"splitdnn_cloud_{name}", **labels) or 0.0 for each in (outcome.before, outcome.after)
    )
    return after - before


def _named(status: int) -> str:
    if status in (FAILED, LEFT):
        return "no answer" if status == FAILED else "left"
    return f"{status} {HTTPStatus(status).phrase}" if status in list(HTTPStatus) else str(status)
