"""Figures: what is to be shown, and how it is drawn. matplotlib is imported by `draw` only."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from matplotlib.axes import Axes

    from bench.report.spread import Spread

_SIZE_INCHES = (9.0, 5.0)
_DOTS_PER_INCH = 110
_LINE_CHARACTERS = 150
_USUAL_COLOURS = 10


class Panel(Protocol):
    """One set of axes of a figure."""

    def draw(self, place: Axes) -> None: ...


@dataclass(frozen=True)
class Figure:
    """One PNG, named `name`. Its panels stand side by side."""

    name: str
    title: str
    panels: Sequence[Panel]


@dataclass(frozen=True)
class Bars:
    """Groups of bars with their spreads: a label for each group, a series for each colour."""

    unit: str
    labels: Sequence[str]
    series: Mapping[str, Sequence[Spread | None]]

    def draw(self, place: Axes) -> None:
        width = 0.8 / len(self.series)
        for number, (name, values) in enumerate(self.series.items()):
            offset = (number - (len(self.series) - 1) / 2) * width
            known = [(index + offset, value) for index, value in enumerate(values) if value is not None]
            spreads = [value for _, value in known]
            medians = [value.median for value in spreads]
            place.bar([x for x, _ in known], medians, width, label=name, yerr=_bounds(spreads), capsize=2)
        _label_bars(place, self.labels, self.unit)


@dataclass(frozen=True)
class Stacks:
    """Bars that are sums of parts."""

    unit: str
    labels: Sequence[str]
    parts: Mapping[str, Sequence[float]]

    def draw(self, place: Axes) -> None:
        colours = _many_colours()
        below = [0.0] * len(self.labels)
        for number, (name, values) in enumerate(self.parts.items()):
            colour = colours[number % len(colours)]
            place.bar(range(len(values)), values, 0.6, bottom=below, label=name, color=colour)
            below = [low + value for low, value in zip(below, values, strict=True)]
        _label_bars(place, self.labels, self.unit)


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
    """Series whose points have no line between them."""

    def draw(self, place: Axes) -> None:
        if len(self.series) > _USUAL_COLOURS:
            place.set_prop_cycle(color=_many_colours())
        for name, points in self.series.items():
            xs, ys = [x for x, _ in points], [y for _, y in points]
            line = "none" if name in self.unjoined else None
            bounds, medians = _bounds(ys), [y.median for y in ys]
            place.errorbar(
                xs, medians, bounds, label=name, marker="o", markersize=3, capsize=2, linestyle=line
            )
        if "x" in self.logarithmic:
            place.set_xscale("log", base=10 if self.decades else 2)
            if not self.decades:
                ticks = sorted({x for points in self.series.values() for x, _ in points})
                place.set_xticks(ticks, [f"{x:g}" for x in ticks])
        if "y" in self.logarithmic:
            place.set_yscale("log")
        else:
            place.set_ylim(bottom=self.lowest)
        place.set(xlabel=self.x_name, ylabel=self.y_name)
        _finish(place, "both")


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

    def draw(self, place: Axes) -> None:
        from matplotlib.colors import TwoSlopeNorm

        norm = TwoSlopeNorm(1.0, 0.7, 2.0)
        place.imshow(self.values, cmap="RdYlGn", norm=norm, origin="lower", aspect="auto")
        for row, texts in enumerate(self.texts):
            for column, text in enumerate(texts):
                place.text(column, row, text, ha="center", va="center", fontsize=5.5)
        place.set_xticks(range(len(self.x_labels)), self.x_labels)
        place.set_yticks(range(len(self.y_labels)), self.y_labels)
        place.set(xlabel=self.x_name, ylabel=self.y_name)
        place.set_title(self.title, fontsize=9)


def draw(figure: Figure, about: str, folder: Path) -> Path:
    """Write the PNG into `folder`, with `about` below it and in its description."""
    # Only here: it takes half a second to import, and no worker draws.
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    count, (width, height) = len(figure.panels), _SIZE_INCHES
    size = width * max(1.0, 0.75 * count), height
    canvas, axes = plt.subplots(1, count, figsize=size, squeeze=False)
    for panel, place in zip(figure.panels, axes[0], strict=True):
        panel.draw(place)
    canvas.suptitle(figure.title)
    canvas.text(0.01, 0.005, "\n".join(textwrap.wrap(about, _LINE_CHARACTERS)), fontsize=5.5, color="0.4")
    canvas.tight_layout(rect=(0, 0.05, 1, 1))
    path = folder / f"{figure.name}.png"
    canvas.savefig(path, dpi=_DOTS_PER_INCH, metadata={"Description": about, "Title": figure.title})
    plt.close(canvas)
    return path


def _label_bars(place: Axes, labels: Sequence[str], unit: str) -> None:
    place.set_xticks(range(len(labels)), labels, rotation=20 if len(labels) > 4 else 0, fontsize=8)
    place.set_ylabel(unit)
    place.set_ylim(bottom=0)
    _finish(place, "y")


def _finish(place: Axes, axis: Literal["both", "y"]) -> None:
    place.grid(visible=True, axis=axis, alpha=0.3)
    place.legend(fontsize=7)


def _many_colours() -> Sequence[tuple[float, float, float]]:
    """Twenty different ones."""
    from matplotlib import colormaps

    colours: Sequence[tuple[float, float, float]] = colormaps["tab20"].colors  # type: ignore[attr-defined]
    return colours


def _bounds(values: Sequence[Spread]) -> tuple[list[float], list[float]]:
    """How far the spread reaches below and above each median."""
    return [value.median - value.low for value in values], [value.high - value.median for value in values]
