"""`python -m bench page`: bytes and first paint of both pages, then the edge's CPU by the number of viewers, round by round."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from bench.harness.system import Edge, running_cloud
from bench.load.page.browser import chromium
from bench.load.page.options import PageOptions
from bench.load.page.paint import PAGES, paint, weigh
from bench.load.page.windows import Frames, window
from bench.report.progress import Outline, Progress
from bench.report.report import Findings, Table, about, publish
from bench.report.spread import over_rounds, several

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from bench.load.page.paint import Paint
    from bench.load.page.windows import Window
    from bench.report.report import Cell

MOST_BYTES, MOST_PAINT_S, MOST_CORE = 60_000, 0.3, 3.0
_NO_END = 1_000_000
_WITH_PICTURES = "--page-pictures"
_PAINT_S = 1.5


def main(arguments: Sequence[str]) -> int:
    # RuntimeError: a process of the benchmark failed, or there is no browser; the text is what it said.
    return PageOptions.read(arguments).report(_run, RuntimeError, OSError)


def _run(options: PageOptions) -> list[Path]:
    """The files that were written."""
    measured_on = about(options.weights, options.setup.source)
    print(measured_on, flush=True)
    counts = (0, options.viewers)
    steps = 1 + len(PAGES) * options.paints + len(counts) * options.rounds
    seconds = (
        10 + len(PAGES) * options.paints * _PAINT_S + len(counts) * options.rounds * (options.seconds + 1)
    )
    paints: dict[str, list[Paint]] = {name: [] for name in PAGES}
    windows: dict[int, list[Window]] = {count: [] for count in counts}
    with contextlib.ExitStack() as stack:
        progress = stack.enter_context(contextlib.closing(Progress([Outline("page", steps, seconds)])))
        progress.section()
        progress.step("a cloud and an edge that start")
        cloud = stack.enter_context(running_cloud(options.setup, f"--split-point={options.split_point}"))
        edge = stack.enter_context(
            Edge(options.setup, cloud.url, options.split_point, options.codec, _NO_END, _WITH_PICTURES)
        )
        frames = stack.enter_context(Frames(edge))
        frames.flow()
        urls = {"edge": edge.url, "cloud": cloud.url}
        weights = {name: weigh(urls[name] + path) for name, path in PAGES.items()}
        with chromium() as browser:
            for name in progress.rounds(options.paints, list(PAGES), "the page of the {} is painted"):
                paints[name].append(paint(browser, urls[name] + PAGES[name]))
        for count in progress.rounds(options.rounds, counts, "{} viewers"):
            windows[count].append(window(edge, frames, count, options.seconds))
        engine = cloud.engine()
    tables = [pages_table(options, weights, paints), viewers_table(options, windows)]
    return publish(options.results, "page", Findings(engine, tables), measured_on)


def pages_table(
    options: PageOptions, weights: Mapping[str, tuple[int, int]], paints: Mapping[str, Sequence[Paint]]
) -> Table:
    """`weights` are the bytes of each page, and those when it is compressed by gzip."""
    rows: list[dict[str, Cell]] = [
        {
            "page": name,
            "bytes": weights[name][0],
            "bytes by gzip": weights[name][1],
            "first contentful paint, s": over_rounds([each.first_s for each in paints[name]]),
            "first state shown, s": over_rounds([each.useful_s for each in paints[name]]),
            "target": f"at most {MOST_BYTES} bytes and {MOST_PAINT_S:g} s",
        }
        for name in paints
    ]
    note = (
        f"Each page is one answer without other files. Times are the browser's own from the navigation on, medians (min–max) of {several(options.paints, 'load')}, "
        "each in a new context of one headless Chromium, which shares this machine's cores with edge and cloud. A state is shown when the "
        "first figures that came by the page's stream stand in it."
    )
    return Table("page", "The pages", note, rows)


def viewers_table(options: PageOptions, windows: Mapping[int, Sequence[Window]]) -> Table:
    """`windows` by the number of viewers; round n of one was beside round n of the other."""
    none, some = windows[0], windows[options.viewers]
    rows: list[dict[str, Cell]] = [
        {
            "viewers": count,
            "CPU of the edge, % of a core": over_rounds([each.cpu_percent for each in many]),
            "frames/s": over_rounds([each.frames_per_s for each in many]),
            "latency p95, ms": over_rounds([each.latency_p95_ms for each in many]),
            "states a second to each": over_rounds([each.states_per_s for each in many]),
            "pictures a second to each": over_rounds([each.pictures_per_s for each in many]),
            "more than without": None,
            "target": None,
        }
        for count, many in windows.items()
    ]
    more = [after.cpu_percent - before.cpu_percent for before, after in zip(none, some, strict=True)]
    rows[-1] |= {"more than without": over_rounds(more), "target": f"at most {MOST_CORE:g}"}
    note = (
        f"CPU of the edge's process by the kernel, medians (min–max) of {several(options.rounds, 'round')} of {options.seconds:g} s without viewers and with "
        f"{options.viewers}, in turn, beside one cloud; {options.fps} frames a second of 640x480 pixels. A viewer is a light client that follows the stream and "
        "asks for each picture that it names, as the page does."
    )
    return Table("page-viewers", "What viewers cost the edge", note, rows)
