"""The tables: what a server costs and gives, and what it does with poison and with SIGTERM."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from bench.load.peers.environments import version_of
from bench.load.peers.known import BARE, CONTENDERS, OURS
from bench.load.peers.sending.job import Job
from bench.load.peers.sending.log import ANSWERED, LOST, OPEN, REFUSED, UNREACHABLE, WRONG
from bench.report.report import Cell, Table
from bench.report.spread import Spread, over_rounds, percentile, several
from shared import __version__

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bench.load.peers.life import Life
    from bench.load.peers.material import Material
    from bench.load.peers.options import PeersOptions

_NONE = "-"


def title_of(name: str) -> str:
    """A contender with its version."""
    contender = CONTENDERS[name]
    found = ""
    if contender.is_peer:
        found = version_of(name, contender.package)
    elif name == OURS:
        found = __version__  # not that of an installed package, which may be another checkout's
    return contender.title.format(version=found)


def cost(lives: Mapping[str, Sequence[Life]], options: PeersOptions, material: Material) -> Table:
    """Rates, latencies, CPU, memory, start and bytes."""
    few, many = options.clients
    rows: list[dict[str, Cell]] = []
    for name, each in lives.items():
        row: dict[str, Cell] = {"": title_of(name)}
        for clients in (few, many):
            cells = [figures(life[f"clients {clients}"]) for life in each]
            for column in ("requests/s", "p50 ms", "p99 ms", "server CPU ms"):
                row[f"{column}, {clients}"] = over_rounds([cell[column] for cell in cells])
            if name != BARE:
                row[f"client CPU ms, {clients}"] = over_rounds([cell["client CPU ms"] for cell in cells])
        if name != BARE:
            row["cores of others"] = over_rounds([others(life, options.clients) for life in each])
            row["bytes a request"] = over_rounds([life[f"clients {few}"]["bytes"] for life in each])
        row["PSS MB"] = over_rounds([life["pss"] / 1e6 for life in each])
        row["processes"] = max(life["processes"] for life in each)
        row["start s"] = over_rounds([life["start_s"] for life in each])
        row["batching"] = CONTENDERS[name].batching
        rows.append(row)
    note = (
        f"{options.split_point} of {options.model}, {options.cores} threads, {'int8' if material.int8 else options.precision}; ours is sent "
        f"{material.codec}, peers {material.carries}. Columns end with the number of clients, each in a closed loop on a connection of its own, "
        f"all in one process on the same cores. Medians (min–max over {several(min(map(len, lives.values())), 'round')} of {options.seconds:g} s); a round "
        "is a whole life of every server, one after another. CPU is that of all the server's processes, and of the clients, per answered request; "
        "what others took of the cores meanwhile is a column, as rates and latencies hold only where that is next to nothing; bytes are those of TCP in both directions; PSS is the sum over the server's processes after the many clients; the start is until the "
        "first right answer. The bare tail runs one by one in the columns of few clients and in full batches in the others."
    )
    return Table("peers", "The same tail behind other servers", note, rows)


def figures(found: Mapping[str, Any]) -> dict[str, float]:
    """One measurement's columns; the bare tail brings its own times."""
    done = max(1, found["done"])
    if "times_ms" in found:
        times = found["times_ms"]
        return {
            "requests/s": found["done"] / found["window_s"],
            "p50 ms": percentile(times, 50),
            "p99 ms": percentile(times, 99),
            "server CPU ms": 1e3 * found["server_cpu_s"] / done,
        }
    return {
        "requests/s": found["throughput_per_s"],
        "p50 ms": found["p50_ms"],
        "p99 ms": found["p99_ms"],
        "server CPU ms": 1e3 * found["server_cpu_s"] / done,
        "client CPU ms": 1e3 * found["client_cpu_s"] / done,
    }


def others(life: Life, clients: Sequence[int]) -> float:
    """How many cores were taken by what is neither the server nor its clients, at most."""
    found = [life[f"clients {each}"] for each in clients]
    taken: list[float] = [
        (each["busy_s"] - each["server_cpu_s"] - each["client_cpu_s"]) / each["window_s"] for each in found
    ]
    return max(0.0, *taken)


def trouble(lives: Mapping[str, Sequence[Life]], options: PeersOptions) -> Table:
    """What became of good requests beside poisoned ones, and of those under way at SIGTERM; sums over the rounds."""
    rows: list[dict[str, Cell]] = []
    for name, each in lives.items():
        if name == BARE:
            continue
        good, bad = _sum(each, "poison", "good"), _sum(each, "poison", "poisoned")
        under_way, after = _sum(each, "terminate", "under_way"), _sum(each, "terminate", "after")
        under_load = [_sum(each, f"clients {clients}", "fates") for clients in options.clients]
        rows.append(
            {
                "": title_of(name),
                "good": good.total(),
                "good, refused": good[REFUSED] + good[LOST] + good[UNREACHABLE] + good[OPEN],
                "good, wrong": good[WRONG],
                "poisoned": bad.total(),
                "poisoned, answered": bad[ANSWERED],
                "poisoned, without any answer": bad[LOST] + bad[OPEN],
                "load: refused, lost or wrong": sum(each.total() - each[ANSWERED] for each in under_load),
                "under way at SIGTERM": under_way.total(),
                "of these lost": under_way[LOST] + under_way[OPEN],
                "of these refused": under_way[REFUSED],
                "sent after it, lost": after[LOST] + after[OPEN],
                "ended after s": _ended(each),
                "exit status": ", ".join(sorted({_status(life["terminate"]["status"]) for life in each})),
                "processes left": sum(life["left"] for life in each),
            }
        )
    note = (
        "Sums over the rounds. Eight clients send good requests in a closed loop while two send poisoned ones, "
        f"{Job.poison_rate:g} a second: another shape, not-a-number, a lie about the length, bytes that mean nothing. Refused or wrong: good "
        f"requests that were not answered, or with another class on top. Then {max(options.clients)} clients, and SIGTERM to the server's "
        "process: under way is what had been sent by then; lost, what had no answer and no refusal."
    )
    return Table("trouble", "Poisoned requests, and SIGTERM under load", note, rows)


def _sum(lives: Sequence[Life], part: str, fates: str) -> Counter[str]:
    return sum((Counter(life[part][fates]) for life in lives), Counter[str]())


def _ended(lives: Sequence[Life]) -> Spread | str:
    times = [life["terminate"]["ended_s"] for life in lives if life["terminate"]["ended_s"] is not None]
    return over_rounds(times) if times else _NONE


def _status(status: int | None) -> str:
    return "did not end" if status is None else str(status)
