"""The tables: every load with its prediction, and how wrong the predictions are."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

from bench.load.scale.model import with_threads, with_workers
from bench.load.scale.options import Shape
from bench.report.report import Table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bench.load.scale.model import One
    from bench.load.scale.trial import Measured
    from bench.report.report import Cell

Results = dict[tuple[Shape, int], "Measured"]
"""By the cloud and the number of clients."""
QUIET = 0.1
"""Cores that others may have had while a prediction is judged: in its load, and in the one that it was made from."""
RATE, PREDICTED, ERROR = "frames/s", "predicted", "error, %"
_MODEL = (
    "Predicted from the cloud with one thread and the same limit of a batch, nothing fitted: threads by Amdahl's law X(T) = X(1) / (1 - U + "
    "U/T), U being the share of the time in which its thread ran tails; workers as clouds of one thread with the clients spread at random; both at "
    "most cores / (C + G), the processor time that a frame takes of cloud and load generator (Denning and Buzen 1978)."
)


def predicted(results: Results, shape: Shape, clients: int, cores: int) -> float | None:
    """Frames/s; None for what the predictions are made from."""
    base = Shape(1, 1, shape.batch)
    if shape == base:
        return None
    measured: Mapping[int, One] = {
        count: each.one for (found, count), each in results.items() if found == base
    }
    if shape.workers > 1:
        return with_workers(measured, clients, shape.workers, cores)
    return with_threads(measured[clients], shape.threads, cores)


def tables(results: Results, cores: int) -> list[Table]:
    """All of them."""
    rows: list[dict[str, Cell]] = []
    errors: dict[Shape, list[float]] = {}
    for (shape, clients), each in sorted(results.items(), key=lambda item: item[0]):
        rate = each.result.throughput_per_s
        row: dict[str, Cell] = {
            "workers": shape.workers, "threads": shape.threads, "batch": shape.batch, "clients": clients, RATE: round(rate, 1),
            "s": round(each.seconds, 1), "p50, ms": round(each.result.p50_ms, 1), "p99, ms": round(each.result.p99_ms, 1), "CPU ms a frame": round(1e3 * each.one.cpu_s, 1),
            "tail busy, %": round(100 * each.one.busy), "generator, % of a core": round(100 * each.result.own_cpu), "others, % of a core": round(100 * each.elsewhere), PREDICTED: None, ERROR: None,
            "not answered": sum((each.result.busy, each.result.late, each.result.refused, each.result.failed)),
        }  # fmt: skip
        said = predicted(results, shape, clients, cores)
        if said is not None and rate:
            error = 100 * (said / rate - 1)
            errors.setdefault(shape, [])
            if max(each.elsewhere, results[Shape(1, 1, shape.batch), clients].elsewhere) <= QUIET:
                errors[shape].append(error)
            row |= {PREDICTED: round(said, 1), ERROR: round(error, 1)}
        rows.append(row)
    note = (
        "One cloud at a time is asked, in turn for each number of clients; a client sends when it has its answer. Threads are those of all "
        f"workers together. Cloud and load generator share this machine's {cores} cores; what others had of them "
        "makes figures lower, and predictions wrong. "
    )
    wrong: list[dict[str, Cell]] = [
        {
            "workers": shape.workers,
            "threads": shape.threads,
            "batch": shape.batch,
            "loads": len(each),
            **_summary(each),
        }
        for shape, each in sorted(errors.items())
    ]
    return [
        Table("scale", "A cloud alone", note + _MODEL, rows),
        Table(
            "scale-errors",
            "How wrong the predictions are",
            f"Predicted / measured - 1, over the numbers of clients at which others had no more than {QUIET:g} of a core, then and when the prediction's "
            "own figures were measured.",
            wrong,
        ),
    ]


def _summary(errors: list[float]) -> dict[str, Cell]:
    if not errors:
        return {}
    low, high = min(errors), max(errors)
    return {
        "mean error, %": round(statistics.mean(errors), 1),
        "mean absolute error, %": round(statistics.mean(map(abs, errors)), 1),
        "worst, %": round(low if -low > high else high, 1),
    }
