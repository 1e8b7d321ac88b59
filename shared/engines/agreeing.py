"""Whether an int8 network answers here as it does where it was made.

Its kernels round as the processor's instructions do: without VNNI the same network gives other symbols, and may give other answers.
So its bundle holds pictures with the float32 network's answers, and each side counts, before its first frame, how many of them the int8
network keeps on it. The result is kept for the next start.
"""

from __future__ import annotations

import logging
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from shared.engines.telling import single, stacked, telling_task
from shared.errors import ContentError, EngineError
from shared.network.partition import OUTPUT
from shared.process.cache.folder import Cache, key_of
from shared.process.machine import machine, processor_features
from shared.tasks.agreement import wilson

if TYPE_CHECKING:
    from shared.engines.base import Engine
    from shared.engines.half import Tensors
    from shared.network.bundle import Bundle

_log = logging.getLogger(__name__)


class Found(NamedTuple):
    """What was counted here."""

    agreement: float
    """With the float32 network, 0 … 1."""
    low: float
    high: float
    """The 95 % interval of it."""
    pictures: int


def check_agreement(bundle: Bundle, engine: Engine, cache_dir: str) -> Found | None:
    """What the int8 network keeps here; None for a network that is not int8. Raises EngineError if that is too little.

    Too little is less than what its maker asked for, beyond what chance explains.
    """
    int8 = bundle.manifest.int8
    if int8 is None:
        return None
    cache, key = (
        Cache(cache_dir),
        "agreement-" + key_of(bundle.manifest.digest, machine(), processor_features(), version("openvino")),
    )
    found = _remembered(cache.load_json(key))
    if found is None:
        found = _counted(bundle, engine)
        cache.store_json(key, list(found))
    told = f"{found.agreement:.1%} of the float32 network's answers on {found.pictures} pictures ({found.low:.1%} to {found.high:.1%})"
    if found.high < int8.wanted:
        failure = EngineError(
            f"bundle {bundle.folder}: on this processor its int8 network keeps {told}, where it was made {int8.agreement:.1%}; accepted: "
            f"{int8.wanted:.1%}"
        )
        failure.imprecise = True
        raise failure
    _log.info("int8 keeps %s here", told)
    return found


def _counted(bundle: Bundle, engine: Engine) -> Found:
    held = engine.probe.held_out() if engine.probe else None
    if held is None:
        raise EngineError(
            f"{bundle.probe}: holds no pictures to compare int8 with float32 on; make the bundle again"
        )
    pictures, expected = held
    whole = engine.once("head", bundle.partition.point(OUTPUT))
    recipe = bundle.model.recipe
    found: Tensors = stacked([whole((recipe.normalise(picture)[None],)) for picture in pictures])
    nothing = Found(0.0, 0.0, 0.0, len(pictures))
    if not all(np.isfinite(output).all() for output in found):
        return nothing
    task = telling_task(bundle.model, len(pictures), partial(single, expected))
    try:
        agreement = task.agreement(expected, found)
    except ContentError as error:
        _log.warning("what the int8 network gives here cannot be read: %s", error)
        return nothing
    return Found(agreement.share, *wilson(agreement.share, agreement.size), len(pictures))


def _remembered(kept: object) -> Found | None:
    if not isinstance(kept, list) or len(kept) != len(Found._fields):
        return None
    if not all(type(value) in (int, float) and value >= 0 for value in kept):
        return None
    return Found(*kept)
