"""From what was measured of every setting to the report's rows, tables and plot."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

from bench.rate.plan import CALIBRATED, LOSSLESS_PICTURES
from bench.rate.statistics import Bootstrap, Cost, cost_at, mcnemar
from bench.report.plots import Figure, Lines
from bench.report.report import Cell, Findings, Table
from bench.report.spread import Spread, percentile
from shared.network.partition import INPUT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bench.rate.trial import Outcome

_TARGET_PERCENT = 95.0
_LOWEST_SHOWN_PERCENT, _LOWEST_SHOWN_CHANGE = 70.0, -15.0

_NOTE = """Real bitstreams: encoded, packed with the frame's header, unpacked and decoded by the cloud's code, answered by the
same engine in float32 as the unsplit network. Agreement is with the unsplit network's top class and top-1 change is against
it, in points: means of the same photographs (95 % intervals of 2000 bootstrap resamples). McNemar's p is exact and two-sided.
KL is that of the split answer from the unsplit one, in nats. `bits / promised` is the payload's bits over the entropy that the
profile's models promise, on every eighth frame. Encode is codec and packing; decode is all the cloud does before the tail (a picture's
normalisation as well): medians of the CPU time, on one thread. Of all photographs by name every third calibrates, a hundred at
most, and none of those is measured."""


def findings(engine: str, found: Sequence[Outcome], calibrating: str, fit_s: Mapping[str, float]) -> Findings:
    """All tables and the figure.

    `calibrating` names the photographs that profiles were fitted to, and `fit_s` the longest fit of each split point.
    """
    count = len(found[0].classes)
    fits = ", ".join(f"{point} {seconds:.1f} s" for point, seconds in fit_s.items() if seconds)
    note = " ".join(_NOTE.split())
    note += f" Where none of {count} differs, up to {300 / count:.1f} % may (95 %, the rule of three)."
    note += f" Fitting one profile took at most: {fits}." if fits else ""
    title = "Bytes per frame against accuracy"
    tables = [Table("rate", title, note, rows_of(found, calibrating)), equal_agreement(found)]
    return Findings(engine, tables, [figure(found, "rate", f"{title}, on photographs")])


def rows_of(found: Sequence[Outcome], calibrating: str) -> list[dict[str, Cell]]:
    """A row for each outcome. `calibrating` names the photographs that profiles were fitted to."""
    bootstrap = Bootstrap(len(found[0].classes))
    rows: list[dict[str, Cell]] = []
    for outcome in found:
        setting, change = outcome.setting, outcome.top1_change
        lost, won = int((change < 0).sum()), int((change > 0).sum())
        coded, promised = sum(outcome.coded_bits), sum(outcome.promised_bits)
        row: dict[str, Cell] = {
            "split point": setting.split_point,
            "codec": setting.family,
            "setting": setting.name,
            "bytes/frame": round(outcome.mean_bytes),
            "median": round(statistics.median(outcome.frame_bytes)),
            "p95": round(percentile(outcome.frame_bytes, 95)),
            "agreement %": bootstrap.mean(outcome.agrees),
            "top-1 change": bootstrap.mean(change),
            "right→wrong": lost,
            "wrong→right": won,
            "McNemar p": mcnemar(lost, won),
            "KL mean": statistics.mean(outcome.divergences),
            "KL median": statistics.median(outcome.divergences),
            "bits / promised": coded / promised if promised else None,
            "encode ms": statistics.median(outcome.encode_ms),
            "decode ms": statistics.median(outcome.decode_ms),
            "calibrated on": calibrating if setting.preset else "",
        }
        rows.append(row)
    return rows


def equal_agreement(found: Sequence[Outcome]) -> Table:
    """What calibrated tensors cost against pictures where both agree as much with the unsplit network."""
    families = {each.setting.family for each in found if each.setting.split_point == INPUT}
    pictures = {
        family: cost
        for family in sorted(families - LOSSLESS_PICTURES)
        if (cost := cost_at(_TARGET_PERCENT, _line(found, INPUT, family)))
    }
    best = min(pictures, key=lambda family: pictures[family].frame_bytes) if pictures else None
    rows: list[dict[str, Cell]] = []
    for point in dict.fromkeys(each.setting.split_point for each in found if each.setting.preset):
        cost = cost_at(_TARGET_PERCENT, _line(found, point, CALIBRATED))
        row: dict[str, Cell] = {
            "split point": point,
            "calibrated bytes": str(cost) if cost else "not reached",
            "best picture codec": best or "not measured",
            "its bytes": str(pictures[best]) if best else "",
            "calibrated / picture": _ratio(cost, pictures[best]) if cost and best else "",
        }
        rows.append(row)
    note = (
        f"Mean bytes per frame at {_TARGET_PERCENT:g} % agreement, linear in log bytes between the settings that were measured; "
        "`≤`: the smallest setting agrees more than that already."
    )
    return Table("rate_equal", "At equal agreement", note, rows)


def figure(found: Sequence[Outcome], name: str, title: str) -> Figure:
    """Agreement and the change of top-1 against bytes, a line for each family of codecs."""
    bootstrap = Bootstrap(len(found[0].classes))
    single = {
        each.setting.family
        for each in found
        if each.setting.split_point != INPUT and each.setting.preset is None
    }

    def panel(y_name: str, field: str, lowest: float) -> Lines:
        lines: dict[str, list[tuple[float, Spread]]] = {}
        for each in sorted(found, key=lambda each: each.mean_bytes):
            point = each.mean_bytes, bootstrap.mean(getattr(each, field))
            lines.setdefault(_line_name(each), []).append(point)
        ordered = {name: lines[name] for name in dict.fromkeys(map(_line_name, found))}
        return Lines(
            "bytes per frame", y_name, ordered, "x", decades=True, lowest=lowest, unjoined=frozenset(single)
        )

    panels = [
        panel("agreement with the unsplit network, %", "agrees", _LOWEST_SHOWN_PERCENT),
        panel("change of top-1, points", "top1_change", _LOWEST_SHOWN_CHANGE),
    ]
    return Figure(name, title, panels)


def _line_name(outcome: Outcome) -> str:
    setting = outcome.setting
    return f"{setting.split_point} {CALIBRATED}" if setting.preset else setting.family


def _ratio(cost: Cost, picture: Cost) -> str:
    if cost.at_most and picture.at_most:
        return "not bounded"
    bound = "≤ " if cost.at_most else "≥ " if picture.at_most else ""
    return f"{bound}{cost.frame_bytes / picture.frame_bytes:.3f}"


def _line(found: Sequence[Outcome], split_point: str, family: str) -> list[tuple[float, float]]:
    return [
        (each.mean_bytes, each.agreement)
        for each in found
        if (each.setting.split_point, each.setting.family) == (split_point, family)
    ]
