"""What the planner would say if it were asked: the plan in force, why it is, and what the others would cost at this moment."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from edge.planning.planner import choose, predict, ranked

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge.planning.budget.budget import Budget
    from edge.planning.planner import Conditions, InForce, Objective, Option, Prediction

_MOST = 6
"""Options that are told of, beside the one in force."""


def tell(
    options: Sequence[Option], now: Conditions, objective: Objective, in_force: InForce, *, why: str
) -> dict[str, Any]:
    """Ready for JSON. `why` is the reason for which the plan was put into force; `options`: at least one."""
    current, best = in_force.option, choose(options, now, objective)
    order = ranked(options, now, objective)
    fits = {option: kept for option, _, kept in order}
    return {
        "plan": current.name,
        "why": why,
        "since_s": round(in_force.since_s, 1),
        "best": best.name,
        "objective": objective.kind,
        "min_agreement": objective.min_agreement,
        "max_latency_ms": _ms(objective.max_latency_s),
        "now": _cost(current, predict(current, now), kept=fits.get(current, False)),
        "instead": [
            _cost(option, prediction, kept=kept) for option, prediction, kept in order if option != current
        ][:_MOST],
        "options": len(options),
        "edge_slowdown": round(now.edge_slowdown, 2),
        "cloud_slowdown": round(now.cloud_slowdown, 2),
        "cloud_wait_ms": _ms(now.cloud_wait_s),
        "session": now.has_session,
        "overhead_bytes": round(now.frame_overhead_bytes),
        "lost": round(now.loss, 3),
    }


def tell_budget(budget: Budget) -> dict[str, Any]:
    """The same of a data budget; nothing without one."""
    if math.isinf(budget.most_bytes):
        return {}
    left = {"bytes_per_hour": round(budget.most_bytes), "left_bytes": round(budget.left_bytes)}
    return {"budget": left | {"spent": budget.is_spent}}


def _cost(option: Option, prediction: Prediction, *, kept: bool) -> dict[str, Any]:
    return {
        "plan": option.name,
        "latency_ms": _ms(prediction.latency_s),
        "age_ms": _ms(prediction.age_s),
        "per_s": round(1 / max(prediction.period_s, 1e-6), 1),
        "bytes": round(prediction.frame_bytes),
        "agreement": round(option.agreement, 3),
        "keeps": kept,
    }


def _ms(seconds: float) -> float | None:
    return round(1e3 * seconds, 1) if math.isfinite(seconds) else None
