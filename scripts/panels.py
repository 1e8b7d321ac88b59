"""A panel of a dashboard on axes of matplotlib: stat, bar gauge, lines over time, state timeline and table."""

from __future__ import annotations

import json
import math
import re
from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Protocol

from matplotlib.dates import AutoDateLocator, DateFormatter
from matplotlib.ticker import FuncFormatter, MaxNLocator

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_NAMED = {"green": "#56a64b", "red": "#e02f44", "orange": "#ff780a", "blue": "#3274d9", "light-green": "#96d98d", "text": "#333333"}  # fmt: skip
_PALETTE = ("#56a64b", "#f2cc0c", "#3274d9", "#ff780a", "#e02f44", "#8ab8ff", "#a352cc", "#705da0", "#0a437c", "#37872d")  # fmt: skip
_PREFIXES = ((1e9, "G"), (1e6, "M"), (1e3, "k"), (1, ""))
_UNITS = {"bytes": "B", "Bps": "B/s", "bps": "bit/s", "reqps": "/s"}
_MOST_NAMES = 6


class Source(Protocol):
    """Where a panel's answers come from, between `start` and `end` in seconds: series with a `value`, or with `values`."""

    start: float
    end: float

    def now(self, expression: str) -> list[dict[str, Any]]: ...
    def over_time(self, expression: str) -> list[dict[str, Any]]: ...


def unit_of(defaults: dict[str, Any]) -> str:
    """What stands behind a panel's numbers, where that is the same for all of them."""
    unit: str = defaults["unit"]
    return unit.removeprefix("suffix:").strip() if unit.startswith("suffix:") else _UNITS.get(unit, "")


def text_of(value: float, defaults: dict[str, Any], *, bare: bool = False) -> str:
    """A number as short as can be, with its unit unless it is `bare`."""
    unit, decimals = defaults["unit"], defaults.get("decimals")
    if math.isnan(value):  # nothing was counted
        return "–"
    if unit == "percentunit":
        return f"{100 * value:.{decimals or 0}f} %"
    if unit == "s":
        return f"{1000 * value:.0f} ms" if abs(value) < 1 else f"{value:.{decimals or 1}f} s"
    size, prefix = next(((size, prefix) for size, prefix in _PREFIXES if abs(value) >= size), (1, ""))
    shown = f"{value:.{decimals}f}" if decimals is not None and size == 1 else f"{value / size:.3g}"
    return f"{shown} {prefix}{'' if bare else unit_of(defaults)}".strip()


def name_of(target: dict[str, Any], labels: dict[str, str]) -> str:
    """A series' name in the legend."""
    return re.sub(r"\{\{(\w+)\}\}", lambda found: labels.get(found[1], ""), target["legendFormat"])


def overridden(panel: dict[str, Any], name: str) -> dict[str, Any]:
    """What a panel says of one series by its name: property -> value."""
    said: dict[str, Any] = {}
    for each in panel["fieldConfig"]["overrides"]:
        by, options = each["matcher"]["id"], each["matcher"]["options"]
        if (by == "byName" and options == name) or (by == "byRegexp" and re.search(options.strip("/"), name)):
            said |= {found["id"]: found["value"] for found in each["properties"]}
    return said


def colour_at(value: float, steps: list[dict[str, Any]]) -> str:
    """That of the highest threshold which a value reaches."""
    reached = [step["color"] for step in steps if step["value"] is None or value >= step["value"]]
    return _NAMED[reached[-1]]


def _peak(points: dict[float, float]) -> float:
    return max((value for value in points.values() if not math.isnan(value)), default=0)


def with_gaps(values: list[tuple[float, str]]) -> dict[float, float]:
    """A series by its times, with a NaN where a value is missing, at which lines end."""
    times = [float(when) for when, _ in values]
    step = min((after - before for before, after in pairwise(times)), default=0.0)
    gaps = {before + step: math.nan for before, after in pairwise(times) if after - before > 1.5 * step}
    return dict(sorted((gaps | {float(when): float(value) for when, value in values}).items()))


def _values_now(panel: dict[str, Any], source: Source) -> list[tuple[str, float]]:
    return [
        (name_of(target, each["metric"]), float(each["value"][1]))
        for target in panel["targets"]
        for each in source.now(target["expr"])
    ]


def draw_stat(place: Axes, panel: dict[str, Any], source: Source) -> None:
    """Large numbers side by side."""
    defaults = panel["fieldConfig"]["defaults"]
    found = _values_now(panel, source)
    place.axis("off")
    for number, (name, value) in enumerate(found):
        fixed = overridden(panel, name).get("color", {}).get("fixedColor")
        colour = _NAMED[fixed] if fixed else colour_at(value, defaults["thresholds"]["steps"])
        middle = (number + 0.5) / len(found)
        if panel["options"]["textMode"] != "value":
            place.text(middle, 0.78, name, ha="center", va="center", fontsize=11, color=_NAMED["text"])
        place.text(
            middle, 0.36, text_of(value, defaults), ha="center", va="center", fontsize=22, color=colour
        )


def draw_bars(place: Axes, panel: dict[str, Any], source: Source) -> None:
    """A bar for each series, the longest above."""
    defaults = panel["fieldConfig"]["defaults"]
    found = sorted(_values_now(panel, source), key=lambda each: each[1])
    colours = [colour_at(value, defaults["thresholds"]["steps"]) for _, value in found]
    most = defaults.get("max") or max([value for _, value in found] + [1e-9])
    place.barh(range(len(found)), [value for _, value in found], 0.65, color=colours)
    place.set_yticks(range(len(found)), [name for name, _ in found], fontsize=8.5)
    for position, (_, value) in enumerate(found):
        place.text(value + most / 50, position, text_of(value, defaults), va="center", fontsize=8.5)
    place.set(xlim=(0, 1.3 * most), xticks=[])
    place.spines[["top", "right", "bottom"]].set_visible(False)


def draw_lines(place: Axes, panel: dict[str, Any], source: Source) -> None:
    """Lines over time, one upon the other where the panel says so."""
    defaults = panel["fieldConfig"]["defaults"]
    custom = defaults.get("custom", {})
    found = [
        (name_of(target, each["metric"]), with_gaps(each["values"]))
        for target in panel["targets"]
        for each in source.over_time(target["expr"])
    ]
    found.sort(key=lambda each: -_peak(each[1]))
    below: dict[float, float] = {}
    for number, (name, points) in enumerate(found):
        said = overridden(panel, name)
        colour = _NAMED.get(said.get("color", {}).get("fixedColor"), _PALETTE[number % len(_PALETTE)])
        bottom = [below.get(when, 0.0) if "stacking" in custom else 0.0 for when in points]
        top = [low + value for low, value in zip(bottom, points.values(), strict=True)]
        below |= {when: high for when, high in zip(points, top, strict=True) if not math.isnan(high)}
        times = [datetime.fromtimestamp(when, UTC) for when in points]
        place.plot(
            times, top, color=colour, linewidth=1.2, label=(name or "value") if number < _MOST_NAMES else None,
            linestyle="--" if "custom.lineStyle" in said else "-",
            drawstyle="steps-post" if custom.get("lineInterpolation") == "stepAfter" else "default",
        )  # fmt: skip
        if opacity := said.get("custom.fillOpacity", custom.get("fillOpacity")):
            place.fill_between(times, bottom, top, color=colour, alpha=opacity / 100, linewidth=0)
    for step in defaults["thresholds"]["steps"] if "thresholdsStyle" in custom else ():
        if step["value"] is not None:
            place.axhline(step["value"], color=_NAMED[step["color"]], linestyle="--", linewidth=1)
    _label_times(place, source)
    place.set_ylim(0, None if found and _peak(found[0][1]) > 0 else 1)
    place.yaxis.set_major_locator(MaxNLocator(5))
    place.yaxis.set_major_formatter(FuncFormatter(lambda value, _: text_of(value, defaults, bare=True)))
    place.tick_params(labelsize=8, length=2)
    place.grid(color="#e5e5e5", linewidth=0.6)
    if found:
        more = f"and {len(found) - _MOST_NAMES} more" if len(found) > _MOST_NAMES else None
        place.legend(
            loc="upper left", bbox_to_anchor=(-0.02, -0.1), ncols=3, fontsize=7.5, frameon=False, title=more, title_fontsize=7.5,
            alignment="left", handlelength=1.2, columnspacing=1.0, borderpad=0.2, labelspacing=0.2,
        )  # fmt: skip


def _label_times(place: Axes, source: Source) -> None:
    place.set_xlim(datetime.fromtimestamp(source.start, UTC), datetime.fromtimestamp(source.end, UTC))
    place.xaxis.set_major_locator(AutoDateLocator(maxticks=6))
    place.xaxis.set_major_formatter(DateFormatter("%H:%M"))


def draw_states(place: Axes, panel: dict[str, Any], source: Source) -> None:
    """A line of the panel for each series, coloured where it has a value."""
    (target,) = panel["targets"]
    found = sorted(
        (
            name_of(target, each["metric"]),
            [datetime.fromtimestamp(float(when), UTC) for when, _ in each["values"]],
        )
        for each in source.over_time(target["expr"])
    )
    for number, (_, times) in enumerate(found):
        place.scatter(times, [number] * len(times), marker="s", s=14, color=_NAMED["green"], linewidths=0)
    place.set_yticks(range(len(found)), [name for name, _ in found], fontsize=7.5)
    _label_times(place, source)
    place.set_ylim(-0.6, len(found) - 0.4)
    place.tick_params(labelsize=7.5, length=2)


def table_of(panel: dict[str, Any], source: Source) -> tuple[list[str], list[list[str]]]:
    """Columns and rows, as the panel's transformations make them: the targets' rows merged, columns left out, ordered and renamed."""
    rows: dict[str, dict[str, Any]] = {}
    several = len(panel["targets"]) > 1
    for target in panel["targets"]:
        value = f"Value #{target['refId']}" if several else "Value"
        for each in source.now(target["expr"]):
            labels = {name: text for name, text in each["metric"].items() if name != "__name__"}
            row = rows.setdefault(labels["instance"] if several else json.dumps(labels), {})
            row |= {**labels, value: float(each["value"][1])}
    said = next((each["options"] for each in panel["transformations"] if each["id"] == "organize"), {})
    names, hidden, order = (said.get(key, {}) for key in ("renameByName", "excludeByName", "indexByName"))
    columns = sorted(
        {label for row in rows.values() for label in row if label not in hidden},
        key=lambda each: order.get(each, 99),
    )
    defaults = panel["fieldConfig"]["defaults"]

    def cell(row: dict[str, Any], label: str) -> str:
        found: str | float = row.get(label, "")
        return (
            found
            if isinstance(found, str)
            else text_of(found, defaults | overridden(panel, names.get(label, label)))
        )

    return [names.get(each, each) for each in columns], sorted(
        [cell(row, label) for label in columns] for row in rows.values()
    )


def draw_table(place: Axes, panel: dict[str, Any], source: Source) -> None:
    """Rows of text."""
    columns, rows = table_of(panel, source)
    place.axis("off")
    if not rows:
        return
    # As wide as the longest text in it; a line of the grid is a line of the table.
    widths = [max(map(len, [name, *(row[at] for row in rows)])) + 2 for at, name in enumerate(columns)]
    tall = min(1.0, 0.95 * (len(rows) + 1) / (panel["gridPos"]["h"] - 1.5))
    drawn = place.table(
        rows, colLabels=columns, colWidths=[width / sum(widths) for width in widths], cellLoc="left", colLoc="left", edges="horizontal",
        bbox=(0, 1 - tall, 1, tall),
    )  # fmt: skip
    drawn.auto_set_font_size(False)
    drawn.set_fontsize(8.5)
    for at in drawn.get_celld().values():
        at.set_edgecolor("#dddddd")


DRAWN = {
    "stat": draw_stat,
    "bargauge": draw_bars,
    "timeseries": draw_lines,
    "state-timeline": draw_states,
    "table": draw_table,
}
