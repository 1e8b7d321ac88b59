"""The tables and the figure of bench/rate/answers.py: for any task."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from bench.rate.plan import CALIBRATED, LOSSLESS_PICTURES
from bench.rate.statistics import cost_at
from bench.report.plots import Figure, Lines
from bench.report.report import Cell, Findings, Table
from bench.report.spread import Spread
from shared.network.partition import INPUT

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bench.rate.answers import Way
    from shared.tasks.base import Task

LEVELS = (80.0, 90.0, 95.0, 98.0)
"""Percent of agreement at which codecs are compared."""
_LOWEST_SHOWN = 40.0

_NOTE = """Real bitstreams: encoded, packed with the frame's header and decoded, answered by the same engine as the unsplit network, whose
answers to the same frames are what agreement is with{measure}, and its 95 % interval is Wilson's. Frames of a clip are alike, so it is
narrower than it should be. `to the cloud` is the tail's share of the network's multiplications."""
_BOXES = """: F1 over all that either finds ({expected:,.0f} of them by the unsplit network); `kept` is the share of these that is
found"""


def findings(engine: str, name: str, ways: Sequence[Way], task: Task) -> Findings:
    """All tables and the figure; files are named after the network's `name`."""
    first = ways[0].found
    measure = "" if first.kept is None else _BOXES.format(expected=first.expected)
    note = " ".join(_NOTE.format(measure=measure).split())
    title = f"{name}: bytes per frame against agreement"
    tables = [
        Table(f"rate-{name}", title, note, [_row(way, task) for way in ways]),
        _equal(name, ways),
    ]
    return Findings(engine, tables, [_figure(name, title, ways)])


def _row(way: Way, task: Task) -> dict[str, Cell]:
    point, found = way.point, way.found
    row: dict[str, Cell] = {
        "split point": point.name,
        "crossing": " + ".join("x".join(map(str, shape)) for shape in point.shapes),
        "to the cloud %": round(100 * _tail_share(way), 1),
        "codec": way.setting.family,
        "setting": way.name,
        "bytes/frame": round(found.frame_bytes),
        "agreement %": _agreement(way),
    }
    if found.kept is not None:
        row["kept %"] = round(100 * found.kept, 1)
    row[task.divergence_unit] = found.divergence
    return row


def _equal(name: str, ways: Sequence[Way]) -> Table:
    """Bytes of calibrated tensors and of pictures where both agree as much, a row for each split point and level."""
    measures: dict[str, Callable[[Way], float]] = {"agreement": lambda way: 100 * way.found.agreement}
    if ways[0].found.kept is not None:
        measures["kept"] = lambda way: 100 * (way.found.kept or 0.0)
    families = dict.fromkeys(way.setting.family for way in ways if way.setting.split_point == INPUT)
    pictures = [family for family in families if family not in LOSSLESS_PICTURES]
    points = dict.fromkeys(way.point.name for way in ways if way.setting.family == CALIBRATED)
    shares = {way.point.name: _tail_share(way) for way in ways}
    rows: list[dict[str, Cell]] = []
    for measure, value in measures.items():
        for level in LEVELS:

            def bytes_of(
                point: str, family: str, level: float = level, value: Callable[[Way], float] = value
            ) -> str:
                line = [
                    (way.found.frame_bytes, value(way))
                    for way in ways
                    if (way.point.name, way.setting.family) == (point, family)
                ]
                return str(cost_at(level, line) or "not reached")

            of_pictures = {family: bytes_of(INPUT, family) for family in pictures}
            rows += [
                {
                    "at": f"{level:g} % {measure}",
                    "split point": point,
                    "to the cloud %": round(100 * shares[point], 1),
                    CALIBRATED: bytes_of(point, CALIBRATED),
                    **of_pictures,
                }
                for point in points
            ]
    note = (
        "Mean bytes per frame, linear in log bytes between the settings that were measured; pictures travel at `input`, where the cloud "
        "runs the whole network. `≤`: the smallest setting is above the level already."
    )
    return Table(f"rate-{name}-equal", "At equal agreement", note, rows)


def _figure(name: str, title: str, ways: Sequence[Way]) -> Figure:
    lines: dict[str, list[tuple[float, Spread]]] = {}
    for way in sorted(ways, key=lambda way: way.found.frame_bytes):
        lines.setdefault(_line(way), []).append((way.found.frame_bytes, _agreement(way)))
    ordered = {line: lines[line] for line in dict.fromkeys(map(_line, ways))}
    single = frozenset(line for line, points in ordered.items() if len(points) == 1)
    panel = Lines(
        "bytes per frame",
        "agreement with the unsplit network, %",
        ordered,
        "x",
        decades=True,
        lowest=_LOWEST_SHOWN,
        unjoined=single,
    )
    return Figure(f"rate-{name}", title, [panel])


def _line(way: Way) -> str:
    at_input = way.setting.split_point == INPUT
    return way.setting.family if at_input else f"{way.point.name} {way.setting.family}"


def _agreement(way: Way) -> Spread:
    found = way.found
    count = found.frames if math.isinf(found.expected) else round(found.expected)
    return Spread(100 * found.agreement, 100 * found.low, 100 * found.high, max(1, count))


def _tail_share(way: Way) -> float:
    point = way.point
    return point.tail_macs / max(1, point.head_macs + point.tail_macs)
