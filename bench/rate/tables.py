"""From what was measured of every setting to the report's rows, tables and plot."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bench.rate.equal_agreement import cost_at
from bench.rate.paired import Bootstrap, mcnemar
from bench.rate.plan import CALIBRATED, PICTURE_FAMILIES
from bench.report.plots import Figure, Lines
from bench.report.report import Table
from bench.report.spread import Spread, percentile
from shared.network.partition import INPUT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from bench.rate.equal_agreement import Cost
    from bench.rate.photographs import Pictures
    from bench.rate.plan import Setting
    from bench.rate.trial import Outcome
    from bench.report.report import Cell

_TARGET_PERCENT = 95.0
_LOWEST_SHOWN_PERCENT, _LOWEST_SHOWN_CHANGE = 70.0, -15.0

NOTE = """Real bitstreams: encoded, packed with the frame's header, unpacked and decoded by the cloud's code, answered by the
same engine in float32 as the unsplit network. Agreement is with the unsplit network's top class and top-1 change is against
it, in points: means of the same photographs (95 % intervals of 2000 bootstrap resamples). McNemar's p is exact and two-sided.
KL is that of the split answer from the unsplit one, in nats. `bits / promised` is the payload's bits over the entropy that the
profile's models promise, on every eighth frame. Encode is codec and packing; decode is all the cloud does before the tail (a picture's
normalisation as well): medians of the CPU time, on one thread. Of all photographs by name every third calibrates, a hundred at
most, and none of those is measured."""


@dataclass(frozen=True)
class Measured:
    """One setting on one set of pictures."""

    setting: Setting
    outcome: Outcome
    agrees: NDArray[np.float64]  # (n,), 100 or 0
    top1_change: NDArray[np.float64] | None  # (n,), 100, 0 or -100; None where the classes are not known

    @classmethod
    def of(
        cls, setting: Setting, outcome: Outcome, unsplit: NDArray[np.intp], pictures: Pictures
    ) -> Measured:
        """`unsplit` (n,) are the unsplit network's top classes."""
        split = np.array(outcome.classes)
        change = None
        if pictures.labels is not None:
            right = (split == pictures.labels).astype(np.float64)
            change = 100 * (right - (unsplit == pictures.labels))
        return cls(setting, outcome, 100.0 * (split == unsplit), change)

    @property
    def frame_bytes(self) -> float:
        return statistics.mean(self.outcome.frame_bytes)

    @property
    def agreement(self) -> float:
        """Percent."""
        return float(self.agrees.mean())


def photograph_rows(found: Sequence[Measured], calibrating: str) -> list[dict[str, Cell]]:
    """`calibrating` says which photographs did."""
    bootstrap = Bootstrap(len(found[0].agrees))
    return [_row(measured, bootstrap, calibrating) for measured in found]


def clip_rows(found: Sequence[Measured], calibrating: str) -> list[dict[str, Cell]]:
    """Without intervals: frames of one clip are not independent. Without top-1: their classes are not known."""
    return [
        {
            **_identity(measured),
            **_bytes(measured.outcome),
            "agreement %": measured.agreement,
            **_divergences(measured.outcome),
            "calibrated on": calibrating if measured.setting.recipe else "",
        }
        for measured in found
    ]


def equal_agreement(found: Sequence[Measured]) -> Table:
    """What calibrated tensors cost against pictures where both agree as much with the unsplit network."""
    pictures = {
        family: cost
        for family in PICTURE_FAMILIES
        if (cost := cost_at(_TARGET_PERCENT, _line(found, INPUT, family)))
    }
    best = min(pictures, key=lambda family: pictures[family].frame_bytes) if pictures else None
    rows: list[dict[str, Cell]] = []
    for point in dict.fromkeys(each.setting.split_point for each in found if each.setting.recipe):
        cost = cost_at(_TARGET_PERCENT, _line(found, point, CALIBRATED))
        row: dict[str, Cell] = {
            "split point": point,
            "calibrated bytes": str(cost) if cost else "not reached",
        }
        row["best picture codec"] = best or "not measured"
        row["its bytes"] = str(pictures[best]) if best else ""
        row["calibrated / picture"] = _ratio(cost, pictures[best]) if cost and best else ""
        rows.append(row)
    note = (
        f"Mean bytes per frame at {_TARGET_PERCENT:g} % agreement, linear in log bytes between the settings that were measured; "
        "`≤`: the smallest setting agrees more than that already."
    )
    return Table("rate_equal", "At equal agreement", note, rows)


def figure(found: Sequence[Measured], name: str, title: str) -> Figure:
    """Agreement and, where known, the change of top-1 against bytes, a line for each family of codecs."""
    bootstrap = Bootstrap(len(found[0].agrees))
    lines: dict[str, list[tuple[float, Spread]]] = {}
    changes: dict[str, list[tuple[float, Spread]]] = {}
    for measured in found:
        setting = measured.setting
        line = f"{setting.split_point} {CALIBRATED}" if setting.recipe else setting.family
        lines.setdefault(line, []).append((measured.frame_bytes, bootstrap.mean(measured.agrees)))
        if measured.top1_change is not None:
            spread = bootstrap.mean(measured.top1_change)
            changes.setdefault(line, []).append((measured.frame_bytes, spread))
    plain = {
        each.setting.family
        for each in found
        if each.setting.split_point != INPUT and each.setting.recipe is None
    }

    def panel(y_name: str, lines: dict[str, list[tuple[float, Spread]]], lowest: float) -> Lines:
        ordered = {name: sorted(points, key=lambda point: point[0]) for name, points in lines.items()}
        return Lines(
            "bytes per frame", y_name, ordered, "x", decades=True, lowest=lowest, unjoined=frozenset(plain)
        )

    panels = [panel("agreement with the unsplit network, %", lines, _LOWEST_SHOWN_PERCENT)]
    if changes:
        panels.append(panel("change of top-1, points", changes, _LOWEST_SHOWN_CHANGE))
    return Figure(name, title, panels)


def _ratio(cost: Cost, picture: Cost) -> str:
    if cost.at_most and picture.at_most:
        return "not bounded"
    bound = "≤ " if cost.at_most else "≥ " if picture.at_most else ""
    return f"{bound}{cost.frame_bytes / picture.frame_bytes:.3f}"


def _line(found: Sequence[Measured], split_point: str, family: str) -> list[tuple[float, float]]:
    return [
        (each.frame_bytes, each.agreement)
        for each in found
        if (each.setting.split_point, each.setting.family) == (split_point, family)
    ]


def _row(measured: Measured, bootstrap: Bootstrap, calibrating: str) -> dict[str, Cell]:
    outcome, change = measured.outcome, measured.top1_change
    assert change is not None, "photographs have classes"
    lost, won = int((change < 0).sum()), int((change > 0).sum())
    coded, promised = sum(outcome.coded_bits), sum(outcome.promised_bits)
    return {
        **_identity(measured),
        **_bytes(outcome),
        "agreement %": bootstrap.mean(measured.agrees),
        "top-1 change": bootstrap.mean(change),
        "right→wrong": lost,
        "wrong→right": won,
        "McNemar p": mcnemar(lost, won),
        **_divergences(outcome),
        "bits / promised": coded / promised if promised else None,
        "encode ms": statistics.median(outcome.encode_ms),
        "decode ms": statistics.median(outcome.decode_ms),
        "calibrated on": calibrating if measured.setting.recipe else "",
    }


def _identity(measured: Measured) -> dict[str, Cell]:
    setting = measured.setting
    return {"split point": setting.split_point, "codec": setting.family, "setting": setting.name}


def _bytes(outcome: Outcome) -> dict[str, Cell]:
    return {
        "bytes/frame": round(statistics.mean(outcome.frame_bytes)),
        "median": round(statistics.median(outcome.frame_bytes)),
        "p95": round(percentile(outcome.frame_bytes, 95)),
    }


def _divergences(outcome: Outcome) -> dict[str, Cell]:
    return {
        "KL mean": statistics.mean(outcome.divergences),
        "KL median": statistics.median(outcome.divergences),
    }
