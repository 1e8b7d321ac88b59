"""From what was measured of every setting to the tables and the figure of one session."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.rate.plan import CALIBRATED
from bench.rate.statistics import Cost, cost_at
from bench.rate.streams.outcome import MARGIN
from bench.rate.streams.plan import EDGE_ONLY, INTER
from bench.report.plots import Figure, Lines
from bench.report.report import Cell, Table
from bench.report.spread import Spread

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from bench.rate.streams.outcome import Outcome

LEVELS = (0.02, 0.03, 0.04)
"""KL at which lines are compared, nats."""
LEAST_SHARE = 0.1
"""A share of the multiplications: where the cloud does less, a line is for orientation only, and is not called the least."""
NOT_REACHED = "–"
_COLUMNS = [f"KL {level:g}" for level in LEVELS]

_NOTE = """Real bitstreams of a session of {frames} consecutive frames, the first keyframe counted: encoded by a stream's encoder, carried by
the session's messages, decoded in the same order by another object, and answered by the same engine in float32 as the unsplit network.
{calibrated} bytes/frame are those of the session's messages, not of the WebSocket's framing (6 to 8 bytes more) or of what is beneath it. KL is
that of the split answer from the unsplit one to the same picture, noise included, in nats. Agreement is with the unsplit network's top class;
`sure` counts only the {clear} frames whose two highest probabilities are more than {margin:g} apart. `to the cloud` is the tail's share of the
network's multiplications. CPU is the process's, all threads, means: packing is in `encode`, and all that the cloud does before the tail is
in `decode`. `P / intra`: a P frame's bytes over those of the same step size with each frame alone."""

_EQUAL_NOTE = (
    "Mean bytes per frame, keyframes counted, linear in log bytes between the settings that were measured; nothing is extrapolated. "
    f"`*`: the least. `≤`: the coarsest setting is below this KL already. `{NOT_REACHED}`: the finest setting is above it. "
    f"Lines that leave less than {100 * LEAST_SHARE:g} % of the multiplications to the cloud are for orientation and never the least."
)


@dataclass(frozen=True)
class About:
    """What one session was."""

    name: str
    """Names files: the clip and the noise."""
    title: str
    """For people."""
    calibrated: str
    """Which frames profiles were fitted to, as a sentence."""
    rate: float
    """Frames/s of the clip; 0 where they are not known."""


def tables(about: About, found: Sequence[Outcome]) -> list[Table]:
    """All settings, and what they take at equal KL."""
    base = found[0].base
    note = _NOTE.format(
        frames=len(base.classes),
        calibrated=about.calibrated,
        clear=f"{sum(base.clear)} of {len(base.clear)}",
        margin=MARGIN,
    )
    alone = {
        (each.setting.split_point, each.setting.step): each.mean_bytes
        for each in found
        if each.setting.codec == CALIBRATED
    }
    rows = [_row(each, about.rate, alone) for each in found]
    rows.append(
        {"split point": "output", "to the cloud %": 0.0, "codec": EDGE_ONLY, "bytes/frame": 0, "KL mean": 0.0}
    )
    name = f"rate-{about.name}"
    return [
        Table(name, f"A session of {about.title}", " ".join(note.split()), rows),
        equal(f"{name}-equal", about.title, found),
    ]


def _row(outcome: Outcome, rate: float, alone: Mapping[tuple[str, float | None], float]) -> dict[str, Cell]:
    """`alone`: mean bytes of `calibrated`, each frame alone, by split point and step size."""
    setting, following = outcome.setting, outcome.mean_of(keyframes=False)
    intra = alone.get((setting.split_point, setting.step)) if setting.codec == INTER else None
    row: dict[str, Cell] = {
        "split point": setting.split_point,
        "to the cloud %": round(100 * outcome.tail_share, 1),
        "codec": setting.codec,
        "size": setting.size,
        "setting": setting.name,
        "bytes/frame": round(outcome.mean_bytes),
    }
    if rate:
        row["kbit/s"] = round(8e-3 * rate * outcome.mean_bytes, 1)
    row |= {
        "keyframes": sum(outcome.keyframe) if outcome.inter else None,
        "a keyframe": _rounded(outcome.mean_of(keyframes=True)),
        "a P frame": _rounded(following),
        "P / intra": following / intra if following and intra else None,
        "p95": round(outcome.p95_bytes),
        "KL mean": outcome.divergence,
        "agreement %": round(outcome.agreement, 1),
        "sure %": _rounded(outcome.clear_agreement, 1),
        "encode ms": statistics.mean(outcome.encode_ms),
        "decode ms": statistics.mean(outcome.decode_ms),
    }
    return row


def equal(name: str, title: str, found: Sequence[Outcome]) -> Table:
    """Mean bytes of every line at equal KL; the least of those that compete is marked, whoever it is."""
    lines = _lines(found)
    costs = {
        line: [
            cost_at(-level, ((each.mean_bytes, -each.divergence) for each in outcomes)) for level in LEVELS
        ]
        for line, outcomes in lines.items()
    }
    competing = [line for line, outcomes in lines.items() if outcomes[0].tail_share >= LEAST_SHARE]
    least = [_least(costs[line][place] for line in competing) for place in range(len(LEVELS))]
    rows: list[dict[str, Cell]] = [
        {
            "line": line,
            "to the cloud %": round(100 * lines[line][0].tail_share, 1),
            **{
                column: _text(cost, line in competing and cost is not None and cost.frame_bytes == best)
                for column, cost, best in zip(_COLUMNS, costs[line], least, strict=True)
            },
        }
        for line in lines
    ]
    return Table(name, f"Bytes at equal KL, {title}", _EQUAL_NOTE, rows)


def together(sessions: Mapping[str, Table]) -> Table:
    """What `equal` found of several sessions, by their names, side by side."""
    rows: dict[Cell, dict[str, Cell]] = {}
    for name, session in sessions.items():
        for row in session.rows:
            shown = rows.setdefault(row["line"], {key: row[key] for key in ("line", "to the cloud %")})
            shown[name] = " / ".join(str(row[column]) for column in _COLUMNS)
    note = f"At a KL of {' / '.join(f'{level:g}' for level in LEVELS)}. {_EQUAL_NOTE}"
    return Table("rate-clips", "Bytes at equal KL, all sessions", note, list(rows.values()))


def figure(about: About, found: Sequence[Outcome]) -> Figure:
    """KL against bytes, a line for each codec, size and split point."""
    lines = {
        line: [
            (each.mean_bytes, _single(each.divergence))
            for each in sorted(outcomes, key=_bytes)
            if each.divergence
        ]
        for line, outcomes in _lines(found).items()
    }
    panel = Lines(
        "bytes per frame",
        "mean KL, nats",
        {line: points for line, points in lines.items() if points},
        "xy",
        decades=True,
    )
    return Figure(f"rate-{about.name}", f"A session of {about.title}", [panel])


def _lines(found: Sequence[Outcome]) -> dict[str, list[Outcome]]:
    lines: dict[str, list[Outcome]] = {}
    for each in found:
        lines.setdefault(each.setting.line, []).append(each)
    return lines


def _least(costs: Iterable[Cost | None]) -> float | None:
    return min((cost.frame_bytes for cost in costs if cost), default=None)


def _text(cost: Cost | None, is_least: bool) -> str:
    return NOT_REACHED if cost is None else f"{cost}{' *' if is_least else ''}"


def _rounded(value: float | None, digits: int = 0) -> float | None:
    return None if value is None else round(value, digits) if digits else round(value)


def _single(value: float) -> Spread:
    return Spread(value, value, value, 1)


def _bytes(outcome: Outcome) -> float:
    return outcome.mean_bytes
