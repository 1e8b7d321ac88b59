"""The result of one run of the load generator."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bench.load.generator import FAILED, OK, UNANSWERED
from bench.report.spread import percentile

if TYPE_CHECKING:
    from bench.load.generator import Load, Request, Run


@dataclass(frozen=True)
class LoadResult:
    """The measured time alone, without the warm-up."""

    clients: int
    offered_per_s: float | None
    """By all clients; None in a closed loop, which offers as much as is taken."""
    answered: int
    """Answered with 200 within the measured time."""
    throughput_per_s: float
    """Answered with 200. In a closed loop a request that is only partly within the measured time counts by that part: its
    answers come in batches, and whole ones would make a few seconds several percent wrong. In an open loop whole ones are
    counted, as parts of what piles up before an overloaded server would be throughput that it does not have."""
    p50_ms: float
    p99_ms: float
    """Over what was due in the measured time and was answered with 200, however late, or still waited for at the end."""
    slowest: float
    fastest: float
    """Frames answered, counted as for the throughput, of the client with the fewest and of the one with the most."""
    busy: int
    """Refused with 503: the queue was full, or the cloud not ready."""
    late: int
    """Refused with 504: the answer would have come too late."""
    refused: int
    """Other statuses, which mean that the requests are wrong."""
    failed: int
    """Connection refused or lost, no answer within the timeout."""
    unanswered: int
    """Still waited for at the end, or never sent."""
    own_cpu: float
    """The share of one core that the generator itself took, 0 to 1; from the server's machine if that is the same."""
    by_kind: list[dict[str, float | None]] = field(default_factory=list)
    """`throughput_per_s`, `p50_ms` and `p99_ms` of the clients that send the same, in the order in which they take turns."""


def result_of(run: Run, kinds: int = 1) -> LoadResult:
    """`kinds`: client i sends what client i + kinds does."""
    load = run.load
    due = [each for each in run.requests if load.warm_s <= each.due < load.end_s]
    statuses = Counter(each.status for each in due)
    latencies = [1e3 * each.latency_s for each in due if each.status in (OK, UNANSWERED)]
    parts = [0.0] * load.clients
    for each in run.requests:
        if each.status == OK:
            parts[each.client] += _whole(each, load) if load.rate else _part(each, load)
    return LoadResult(
        clients=load.clients,
        offered_per_s=load.clients * load.rate if load.rate else None,
        answered=sum(each.status == OK and _whole(each, load) for each in run.requests),
        throughput_per_s=sum(parts) / load.seconds,
        p50_ms=percentile(latencies, 50),
        p99_ms=percentile(latencies, 99),
        slowest=min(parts),
        fastest=max(parts),
        busy=statuses[503],
        late=statuses[504],
        refused=statuses.total() - sum(statuses[each] for each in (OK, 503, 504, FAILED, UNANSWERED)),
        failed=statuses[FAILED],
        unanswered=statuses[UNANSWERED],
        own_cpu=run.cpu_s / load.seconds,
        by_kind=[_of_kind(due, parts, load, range(kind, load.clients, kinds)) for kind in range(kinds)],
    )


def _of_kind(due: list[Request], parts: list[float], load: Load, clients: range) -> dict[str, float | None]:
    latencies = [
        1e3 * each.latency_s for each in due if each.client in clients and each.status in (OK, UNANSWERED)
    ]
    return {
        "throughput_per_s": sum(parts[client] for client in clients) / load.seconds,
        "p50_ms": percentile(latencies, 50) if latencies else None,
        "p99_ms": percentile(latencies, 99) if latencies else None,
    }


def _whole(request: Request, load: Load) -> bool:
    """Whether it was answered within the measured time."""
    return load.warm_s <= request.done < load.end_s


def _part(request: Request, load: Load) -> float:
    """How much of its way, from sending to answer, lies within the measured time: 0 to 1."""
    within = min(request.done, load.end_s) - max(request.due, load.warm_s)
    return max(0.0, within) / request.latency_s
