"""The cells as tables: what was to be reached, every cell, what a frame costs above its payload, and where sessions lose."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any, NamedTuple

from bench.link.stream.choices import HTTP, SESSION, Choice
from bench.link.stream.conditions import FREE
from bench.report.report import Cell as TableCell
from bench.report.report import Table
from shared.network.partition import OUTPUT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from bench.link.stream.figures import Figures
    from bench.link.stream.options import StreamOptions

AT = "50/200"
"""The link of the targets."""
_SPLIT_MACS, _CHEAP_PER_S, _SPLIT_PER_S = 0.19, 10.0, 5.0
"""From so many of the multiplications in the cloud on, a cell counts as split; the others are to be faster."""
_NOISE = 1.02


class Row(NamedTuple):
    """One measured cell."""

    key: Mapping[str, Any]
    found: Figures


class Target(NamedTuple):
    """One thing to be reached."""

    name: str
    limit: float
    at_least: bool
    value: Callable[[Figures], float | None]

    def is_met(self, found: Figures) -> bool:
        """Whether it is reached; a figure that is not there is not."""
        value = self.value(found)
        return value is not None and (value >= self.limit if self.at_least else value <= self.limit)


def targets(found: Figures, choice: Choice) -> list[Target]:
    """Those of a cell at AT."""
    nothing = [
        Target("lost", 0, at_least=False, value=lambda each: each.lost),
        Target("wrong", 0, at_least=False, value=lambda each: each.wrong),
        Target("age p95 ms", 800, at_least=False, value=lambda each: each.age_p95_ms),
    ]
    if choice.point == OUTPUT:
        return [
            Target("answers/s", _CHEAP_PER_S, at_least=True, value=lambda each: each.answers_per_s),
            *nothing,
        ]
    whole = found.macs_share / found.cloud_share if found.cloud_share else 0.0
    is_split = whole >= _SPLIT_MACS
    return [
        Target(
            "answers/s", _SPLIT_PER_S if is_split else _CHEAP_PER_S, at_least=True,
            value=lambda each: each.answers_per_s,
        ),
        *([Target("MACs in the cloud", 0.2, at_least=True, value=lambda each: each.macs_share)] if is_split else []),
        Target("KL", 0.04, at_least=False, value=lambda each: each.divergence),
        Target("wire / payload", 1.25, at_least=False, value=lambda each: each.over_payload),
        *nothing,
    ]  # fmt: skip


def tables(rows: Sequence[Row], options: StreamOptions, left_out: Sequence[str]) -> list[Table]:
    """All of them that have rows."""
    free = [row for row in rows if row.key["link"] == FREE and row.key["choice"] == options.overhead]
    grid = [row for row in rows if row not in free]
    note = _note(options, left_out)
    at = [row for row in grid if row.key["link"] == AT]
    made = [
        Table("link-stream-targets", f"The targets at {AT}", _TARGETS, [_against_targets(row) for row in at]),
        Table("link-stream", "Each cell", note, [_row(row) for row in grid]),
        Table(
            "link-stream-overhead",
            "What a frame costs above its payload",
            _OVERHEAD,
            [_overhead(row) for row in free],
        ),
        Table("link-stream-losing", "Where a session loses", _LOSING, losing(grid)),
    ]
    return [table for table in made if table.rows]


_TARGETS = (
    "Every cell at 50 kbit/s and a round trip of 200 ms, with what it misses. Cells that leave less than a fifth of the network's multiplications to "
    "the cloud (`avgpool`, `output`) are held to 10 answers/s, the others to 5/s; KL is that of the cloud's answers; the wire is counted at the sockets, both ways."
)
_OVERHEAD = (
    "10 frames/s over a link without limits: bytes for each frame that the cloud answered, both ways, beside its payload, at the sockets; the answer of five classes, "
    "HTTP's or the session's own bytes and TLS's records are in it. TCP's and IP's headers are computed from the segments, with an acknowledgement for two. Target: at most 60 for a session without TLS."
)
_LOSING = (
    "Cells in which a session is worse than HTTP with the same choice, by more than 2 %: in answers by the cloud a second, in the age that 95 % of the "
    "answers keep to, or in bytes at the sockets for an answer of the cloud; and those in which it gives fewer answers than the edge alone."
)


def _note(options: StreamOptions, left_out: Sequence[str]) -> str:
    links = "; ".join(f"{each.name}: {each.about}" for each in options.conditions())
    without = f" Left out: {'; '.join(left_out)}." if left_out else ""
    return (
        f"A live camera plays the second half of each clip at {f'{options.fps:g} frames/s' if options.fps else 'its own rate'}; the edge drops what it cannot keep up with. "
        f"{options.seconds:g} s of each cell after {options.warm_s:g} s, deadline {options.deadline_s:g} s, {options.in_flight} frames under way at most. Age: from capture to answer, of all "
        "frames (those that the edge answered are among them) and of those that the cloud answered. KL and agreement: of the cloud's answers with the unsplit network. Lost, wrong and not judged are "
        f"of the whole run; payload: of the frames that the cloud answered, so what was sent in vain counts as overhead; not judged: sent again or from another state, so that it could not be coded once more. Links: {links}.{without}"
    )


def _against_targets(row: Row) -> dict[str, TableCell]:
    wanted = targets(row.found, Choice.read(row.key["choice"]))
    found: dict[str, TableCell] = {name: row.key[name] for name in ("clip", "choice", "way")}
    for each in wanted:
        value = each.value(row.found)
        found[each.name] = None if value is None else float(value)
    missed = [each.name for each in wanted if not each.is_met(row.found)]
    return {**found, "missed": ", ".join(missed) or "none"}


def _row(row: Row) -> dict[str, TableCell]:
    found = row.found
    return {
        **{name: row.key[name] for name in ("clip", "link", "choice", "way")},
        "answers/s": found.answers_per_s,
        "by the cloud %": None if found.cloud_share is None else 100 * found.cloud_share,
        "age p50 ms": found.age_p50_ms,
        "age p95 ms": found.age_p95_ms,
        "cloud's p50 ms": found.cloud_age_p50_ms,
        "cloud's p95 ms": found.cloud_age_p95_ms,
        "MACs in the cloud %": 100 * found.macs_share,
        "KL": found.divergence,
        "agreement %": None if found.agreement is None else 100 * found.agreement,
        "payload B/frame": found.frame_bytes,
        "up kB/s": found.up_bytes / 1e3 / found.seconds,
        "down kB/s": found.down_bytes / 1e3 / found.seconds,
        "wire / payload": found.over_payload,
        "with TCP/IP": found.all_over_payload,
        "before, kB": found.before_bytes / 1e3,
        "dropped": found.dropped,
        "lost": found.lost,
        "wrong": found.wrong,
        "not judged": found.not_judged,
        "CPU ms/answer": found.cpu_ms,
    }


def _overhead(row: Row) -> dict[str, TableCell]:
    found = row.found
    return {
        "way": row.key["way"],
        "TLS": "yes" if row.key["tls"] else "no",
        "frames": found.by_cloud,
        "payload B": found.frame_bytes,
        "above it B": found.overhead_bytes,
        "TCP/IP B": found.header_bytes / found.by_cloud if found.by_cloud else None,
        "wire / payload": found.over_payload,
        "with TCP/IP": found.all_over_payload,
        "lost": found.lost,
        "wrong": found.wrong,
    }


def losing(rows: Sequence[Row]) -> list[dict[str, TableCell]]:
    """A row for each quantity in which a session is worse than the same without one, or than the edge alone."""

    def same(row: Row, **other: Any) -> Figures | None:
        wanted = {**row.key, **other}
        return next((each.found for each in rows if dict(each.key) == wanted), None)

    found: list[dict[str, TableCell]] = []
    alone = {row.key["clip"]: row.found for row in rows if row.key["choice"] == OUTPUT}
    for row in rows:
        if row.key["way"] != SESSION or row.key["choice"] == OUTPUT:
            continue
        beside = same(row, way=HTTP)
        cases = [("http", name, value, more_is_better, beside) for name, value, more_is_better in _COMPARED]
        cases.append(
            ("edge only", "answers/s", operator.attrgetter("answers_per_s"), True, alone.get(row.key["clip"]))
        )
        for against, name, value, more_is_better, other in cases:
            mine, theirs = value(row.found), value(other) if other else None
            if mine is None or theirs is None:
                continue
            if theirs > _NOISE * mine if more_is_better else mine > _NOISE * theirs:
                key = {each: row.key[each] for each in ("clip", "link", "choice")}
                found.append({**key, "in": name, "session": mine, "against": against, "its": theirs})
    return found


def _bytes_an_answer(found: Figures) -> float | None:
    return found.socket_bytes / found.by_cloud if found.by_cloud else None


_COMPARED: tuple[tuple[str, Callable[[Figures], float | None], bool], ...] = (
    ("answers by the cloud/s", operator.attrgetter("cloud_per_s"), True),
    ("age p95 ms", operator.attrgetter("age_p95_ms"), False),
    ("bytes for an answer of the cloud", _bytes_an_answer, False),
)


def line(row: Row) -> str:
    """One cell, for people, while the grid is measured."""
    found, key = row.found, row.key
    said = f"{key['clip']} {key['link']} {key['choice']} {key['way']}{' TLS' if key['tls'] else ''}: {found.answers_per_s:.1f}/s, "
    cloud = f"{100 * (found.cloud_share or 0):.0f} % by the cloud, age p95 {found.age_p95_ms or float('nan'):.0f} ms, "
    kl = "-" if found.divergence is None else f"{found.divergence:.4f}"
    over = "-" if found.overhead_bytes is None else f"{found.overhead_bytes:.0f}"
    return f"{said}{cloud}KL {kl}, {found.frame_bytes or 0:.0f} B + {over}, lost {found.lost}, wrong {found.wrong}, not judged {found.not_judged}"
