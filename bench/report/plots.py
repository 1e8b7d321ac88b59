"""Figures: what is to be shown, and how it is drawn. Only `draw` knows matplotlib."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from matplotlib.axes import Axes

    from bench.report.spread import Spread

_SIZE_INCHES = (9.0, 5.0)
_DOTS_PER_INCH = 110
_LINE_CHARACTERS = 150
_USUAL_COLOURS = 10


@dataclass(frozen=True)
class Figure:
    """One PNG; `name` is its file's. Panels stand side by side."""

    name: str
    title: str
    panels: Sequence[Bars | Stacks | Lines | Heat]


@dataclass(frozen=True)
class Bars:
    """Groups of bars with their spreads: a label for each group, a series for each colour."""

    unit: str
    labels: Sequence[str]
    series: Mapping[str, Sequence[Spread | None]]


@dataclass(frozen=True)
class Stacks:
    """Bars that are sums of parts."""

    unit: str
    labels: Sequence[str]
    parts: Mapping[str, Sequence[float]]


@dataclass(frozen=True)
class Lines:
    """Curves through medians, with their spreads."""

    x_name: str
    y_name: str
    series: Mapping[str, Sequence[tuple[float, Spread]]]
    logarithmic: str = ""
    """`x`, `y`, `xy` or nothing. x goes by powers of two, as numbers of clients do, and has a tick for each point."""
    decades: bool = False
    """A logarithmic x goes by powers of ten instead, with their ticks."""
    lowest: float = 0.0
    """Where a linear y begins."""
    unjoined: frozenset[str] = frozenset()
    """Series whose points are not steps of one way."""


@dataclass(frozen=True)
class Heat:
    """A grid of colours with words in it; 1 is the middle of the colours."""

    title: str
    x_name: str
    y_name: str
    x_labels: Sequence[str]
    y_labels: Sequence[str]
    values: Sequence[Sequence[float]]
    """Row by row, from below."""
    texts: Sequence[Sequence[str]]


def draw(figure: Figure, about: str, path: Path) -> None:
    """Write the PNG, with `about` below it and in its description."""
    # Only here: it takes half a second to import, and no worker draws.
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    width, height = _SIZE_INCHES
    canvas, axes = plt.subplots(
        1, len(figure.panels), figsize=(width * max(1.0, 0.75 * len(figure.panels)), height), squeeze=False
    )
    for panel, place in zip(figure.panels, axes[0], strict=True):
        _draw_panel(panel, place)
    canvas.suptitle(figure.title)
    canvas.text(0.01, 0.005, "\n".join(textwrap.wrap(about, _LINE_CHARACTERS)), fontsize=5.5, color="0.4")
    canvas.tight_layout(rect=(0, 0.05, 1, 1))
    canvas.savefig(path, dpi=_DOTS_PER_INCH, metadata={"Description": about, "Title": figure.title})
    plt.close(canvas)


def _draw_panel(panel: Bars | Stacks | Lines | Heat, place: Axes) -> None:
    if isinstance(panel, Heat):
        _draw_heat(panel, place)
        return
    if isinstance(panel, Bars):
        _draw_bars(panel, place)
    elif isinstance(panel, Stacks):
        _draw_stacks(panel, place)
    else:
        _draw_lines(panel, place)
    place.grid(visible=True, axis="both" if isinstance(panel, Lines) else "y", alpha=0.3)
    place.legend(fontsize=7)


def _draw_bars(panel: Bars, place: Axes) -> None:
    width = 0.8 / len(panel.series)
    for number, (name, values) in enumerate(panel.series.items()):
        there = [(index, value) for index, value in enumerate(values) if value is not None]
        place.bar(
            [index + (number - (len(panel.series) - 1) / 2) * width for index, _ in there],
            [value.median for _, value in there],
            width,
            label=name,
            yerr=_bounds([value for _, value in there]),
            capsize=2,
        )
    _name_bars(place, panel.labels, panel.unit)


def _draw_stacks(panel: Stacks, place: Axes) -> None:
    colours = _many_colours()
    below = [0.0] * len(panel.labels)
    for number, (name, values) in enumerate(panel.parts.items()):
        place.bar(
            range(len(values)), values, 0.6, bottom=below, label=name, color=colours[number % len(colours)]
        )
        below = [low + value for low, value in zip(below, values, strict=True)]
    _name_bars(place, panel.labels, panel.unit)


def _draw_lines(panel: Lines, place: Axes) -> None:
    if len(panel.series) > _USUAL_COLOURS:
        place.set_prop_cycle(color=_many_colours())
    for name, points in panel.series.items():
        place.errorbar(
            [x for x, _ in points],
            [y.median for _, y in points],
            yerr=_bounds([y for _, y in points]),
            label=name,
            marker="o",
            markersize=3,
            capsize=2,
            linestyle="none" if name in panel.unjoined else None,
        )
    if "x" in panel.logarithmic and panel.decades:
        place.set_xscale("log")
    elif "x" in panel.logarithmic:
        place.set_xscale("log", base=2)
        ticks = sorted({x for points in panel.series.values() for x, _ in points})
        place.set_xticks(ticks, [f"{x:g}" for x in ticks])
    if "y" in panel.logarithmic:
        place.set_yscale("log")
    else:
        place.set_ylim(bottom=panel.lowest)
    place.set_xlabel(panel.x_name)
    place.set_ylabel(panel.y_name)


def _draw_heat(panel: Heat, place: Axes) -> None:
    from matplotlib.colors import TwoSlopeNorm

    place.imshow(panel.values, cmap="RdYlGn", norm=TwoSlopeNorm(1.0, 0.7, 2.0), origin="lower", aspect="auto")
    for row, texts in enumerate(panel.texts):
        for column, text in enumerate(texts):
            place.text(column, row, text, ha="center", va="center", fontsize=5.5)
    place.set_xticks(range(len(panel.x_labels)), panel.x_labels)
    place.set_yticks(range(len(panel.y_labels)), panel.y_labels)
    place.set_xlabel(panel.x_name)
    place.set_ylabel(panel.y_name)
    place.set_title(panel.title, fontsize=9)


def _many_colours() -> Sequence[tuple[float, float, float]]:
    """Twenty, none of them twice."""
    from matplotlib import colormaps

    colours: Sequence[tuple[float, float, float]] = colormaps["tab20"].colors  # type: ignore[attr-defined]
    return colours


def _name_bars(place: Axes, labels: Sequence[str], unit: str) -> None:
    place.set_xticks(range(len(labels)), labels, rotation=20 if len(labels) > 4 else 0, fontsize=8)
    place.set_ylabel(unit)
    place.set_ylim(bottom=0)


def _bounds(values: Sequence[Spread]) -> tuple[list[float], list[float]]:
    """How far the spread reaches below and above each median."""
    return [value.median - value.low for value in values], [value.high - value.median for value in values]
