"""The tables of `python -m bench autoscale`: what was measured of a pod, and what came of each replay."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from bench.load.autoscale.pod import Pod, Service
from bench.load.autoscale.trial import Measured, Start
from bench.load.generator import schedule
from bench.report.report import Table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bench.load.autoscale.replay import Outcome
    from bench.load.autoscale.traces import Trace
    from bench.load.generator import Load
    from bench.report.report import Cell

Results = dict[str, "Start | Measured"]
"""What was measured, by its name, in order."""


def fitted(results: Results, cores: float) -> Service:
    """A pod like the cloud that was measured: times of a run, on the line through those of the smallest and of the largest ones."""
    loads = sorted(
        (each for each in results.values() if isinstance(each, Measured)), key=lambda each: each.size
    )
    small, large = loads[0], loads[-1]
    run_s, frame_s = _line((small.size, small.run_s), (large.size, large.run_s))
    run_cpu_s, frame_cpu_s = _line((small.size, _run_cpu_s(small)), (large.size, _run_cpu_s(large)))
    return Service(run_s, frame_s, run_cpu_s, frame_cpu_s, cores)


def _run_cpu_s(load: Measured) -> float:
    return load.cores * load.size / load.result.throughput_per_s


def _line(small: tuple[float, float], large: tuple[float, float]) -> tuple[float, float]:
    """Where it begins, and how much it rises for each frame; neither below 0."""
    slope = max(0.0, (large[1] - small[1]) / max(1e-9, large[0] - small[0]))
    begin = small[1] - slope * small[0]
    return (begin, slope) if begin >= 0 else (0.0, large[1] / large[0])


def modelled(service: Service, load: Load) -> tuple[float, float, float]:
    """Answered a second, frames that wait on average and cores of one pod that gets this load."""
    pod = Pod(service)
    for due in sorted(itertools.chain(*schedule(load))):
        pod.offer(due)
    pod.advance(load.end_s)
    return pod.answered / load.end_s, pod.waited_s / load.end_s, min(service.cores, pod.cpu_s / load.end_s)


def measured_table(results: Results, service: Service, note: str) -> Table:
    """What the cloud did, beside what the replay's pod does with the same load."""
    rows: list[dict[str, Cell]] = []
    for name, each in results.items():
        if isinstance(each, Start):
            rows.append({"": name, "s": round(each.ready_s, 2), "MB": round(each.proportional / 1e6)})
            continue
        row: dict[str, Cell] = {
            "": name, "s": None, "MB": round(each.proportional / 1e6), "offered, frames/s": round(each.offered_per_s, 1),
            "answered": round(each.result.throughput_per_s, 1), "modelled": None, "queue": round(each.queue, 2),
            "queue, modelled": None, "cores": round(each.cores, 2), "cores, modelled": None,
            "p50, ms": round(each.result.p50_ms, 1), "p99, ms": round(each.result.p99_ms, 1), "frames a run": round(each.size, 2),
            "a run, ms": round(1e3 * each.run_s, 1), "others, cores": round(each.elsewhere, 2),
        }  # fmt: skip
        if each.load.rate is not None:
            answered, queue, cores = modelled(service, each.load)
            row |= {
                "modelled": round(answered, 1),
                "queue, modelled": round(queue, 2),
                "cores, modelled": round(cores, 2),
            }
        rows.append(row)
    said = (
        f"{note} Modelled: a run takes {1e3 * service.run_s:.1f} ms and {1e3 * service.frame_s:.2f} for each frame, by the smallest and the "
        f"largest runs. MB: proportional set size at the end; s: from the process to its readiness."
    )
    return Table("autoscale-pod", "One cloud, measured and modelled", said, rows)


def replay_table(outcomes: Mapping[tuple[Trace, str], Outcome], service: Service, start_s: float) -> Table:
    """A row for each trace and autoscaler."""
    rows: list[dict[str, Cell]] = []
    for (trace, name), each in outcomes.items():
        first = next(
            (moment.at_s - trace.begins_s for moment in each.changes if moment.wanted > moment.replicas), None
        )
        rows.append(
            {
                "trace": trace.name, "by": name, "frames": each.frames, "not answered, %": round(100 * (1 - each.answered / each.frames), 2),
                "full": each.refused, "late": each.late, "mean latency, ms": round(1e3 * each.latency_s / max(1, each.answered), 1),
                "longest queue": round(max(moment.queue for moment in each.moments), 1), "most pods": max(moment.wanted for moment in each.moments),
                "pod hours": round(each.pod_s / 3600, 2), "first scaled after, s": None if first is None else round(first),
                "changes": len(each.changes), "turns": each.turns,
            }
        )  # fmt: skip
    what = "; ".join(f"{trace.name}: {trace.what}" for trace in dict.fromkeys(trace for trace, _ in outcomes))
    note = (
        f"{what}. A pod answers up to {service.most_per_s:.0f} frames/s, and takes its first frame {start_s:g} s after it was wished for. `queue` "
        "and `cores` are hpa by that measure alone. What is not answered by a cloud, as its queue was full or the answer too late, the edge "
        "answers. Queue: frames that wait for a tail, of a pod on average over 30 s, as the autoscaler sees it. Turns: more pods after fewer, "
        "or fewer after more."
    )
    return Table("autoscale", "Loads replayed through the autoscalers", note, rows)


def moments_table(outcomes: Mapping[tuple[Trace, str], Outcome]) -> Table:
    """A row for each change."""
    rows: list[dict[str, Cell]] = [
        {
            "trace": trace.name, "by": name, "s": round(each.at_s), "frames/s": round(each.per_s), "pods": each.replicas, "ready": each.ready,
            "queue": round(each.queue, 1), "cores": round(each.cores, 2), "then pods": each.wanted,
        }
        for (trace, name), outcome in outcomes.items()
        for each in outcome.changes
    ]  # fmt: skip
    return Table(
        "autoscale-changes", "When they scale", "Queue and cores are of a pod, on average over 30 s.", rows
    )
