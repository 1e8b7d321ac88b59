"""The network on this machine: whether it loads, and what its halves cost here."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from edge.network.loading import Loaded, load
from shared.errors import SplitDNNError
from splitdnn.doctor.finding import Finding, State

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from edge.cameras.settings import CameraSettings
    from edge.config import EdgeSettings
    from edge.metrics import EdgeMetrics
    from edge.planning.plan import Plan

_RUNS = 9
_WARM = 2


@dataclass(frozen=True)
class Looked:
    """The findings, and the network if it loads."""

    findings: list[Finding]
    loaded: Loaded | None = None

    @property
    def plan(self) -> Plan | None:
        """The plan that is looked at: the only one of the first camera, or the first of those that its planner has."""
        return next(iter(self.loaded.plans.values()))[0] if self.loaded else None


def look_at_network(
    settings: EdgeSettings, cameras: Sequence[CameraSettings], threads: int, metrics: EdgeMetrics
) -> Looked:
    """Load it as the edge does, and run each half on one picture."""
    start = time.perf_counter()
    try:
        loaded = load(settings, cameras, threads, metrics)
    except SplitDNNError as error:
        return Looked([Finding("network", State.WRONG, " ".join(str(error).split()))])
    loaded_s = time.perf_counter() - start
    model, engine = loaded.model, loaded.engine
    text = f"{model.name}, weights {model.weights}, fingerprint {model.fingerprint.hex()}, task {model.task.name}, loaded in {loaded_s:.1f} s"
    random = model.weights.startswith("random:")
    todo = "its weights are random: give --weights, or --model a bundle" if random else ""
    network = Finding("network", State.DOUBTFUL if random else State.GOOD, text, todo)
    looked = Looked([network], loaded)
    assert looked.plan is not None
    return Looked([network, _times(looked.plan, engine.engine, engine.precision, model.recipe)], loaded)


def _times(plan: Plan, engine: str, precision: str, recipe: Any) -> Finding:
    picture = np.random.default_rng(0).integers(0, 256, recipe.picture_shape, np.uint8)
    pictures = (recipe.normalise(picture)[None],)
    crossing = plan.head(pictures)
    head_ms, tail_ms = _median_ms(lambda: plan.head(pictures)), _median_ms(lambda: plan.tail(crossing))
    text = (
        f"{engine}, {precision}: at {plan.split_point.name} the head takes {head_ms:.1f} ms and the tail {tail_ms:.1f} ms, so that this "
        f"machine makes at most {1e3 / max(head_ms, 1e-3):.0f} frames/s with a cloud and {1e3 / max(head_ms + tail_ms, 1e-3):.0f} without"
    )
    return Finding("engine", State.GOOD, text)


def _median_ms(run: Callable[[], object]) -> float:
    times = []
    for _ in range(_WARM + _RUNS):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return 1e3 * statistics.median(times[_WARM:])
