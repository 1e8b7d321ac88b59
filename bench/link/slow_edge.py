"""An edge that is slower by a declared factor: after all it computes it sleeps, so that the cores stay free for the cloud."""

from __future__ import annotations

import copy
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.frames.preprocess import Preprocess
    from edge.planning.plan import Plan


def slow_plan(plan: Plan, factor: float) -> Plan:
    """The same plan on a slower edge, with its measurements scaled alike. The edge's own tail is slower, too."""
    codec, option = copy.copy(plan.codec), plan.option
    if codec is not None:
        object.__setattr__(codec, "encode", slowed(codec.encode, factor))
    if option is not None:
        option = replace(option, head_s=option.head_s * factor, encode_s=option.encode_s * factor)
    return replace(
        plan, codec=codec, option=option, head=slowed(plan.head, factor), tail=slowed(plan.tail, factor)
    )


def slow_preprocess(preprocess: Preprocess, factor: float) -> Any:
    """A slower one of the same interface."""

    class Slow:
        __call__ = staticmethod(slowed(preprocess, factor))
        outgoing = staticmethod(preprocess.outgoing)

    return Slow()


def slowed(function: Callable[..., Any], factor: float) -> Callable[..., Any]:
    """Takes `factor` times as long."""
    if factor == 1:
        return function

    def run(*arguments: Any) -> Any:
        start = time.perf_counter()
        result = function(*arguments)
        time.sleep((factor - 1) * (time.perf_counter() - start))
        return result

    return run
