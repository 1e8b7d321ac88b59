"""Attacks by profiles: what a client may send is chosen by him, and so is what each frame of it costs."""

from __future__ import annotations

import contextlib
import itertools
import math
from typing import TYPE_CHECKING

from bench.attack.worst_profile import worst_profile
from shared.codecs.calibrated.codec import Calibrated
from shared.codecs.calibrated.cost import cost_of
from shared.errors import LimitError
from shared.network.partition import INPUT
from shared.wire import frame as wire

if TYPE_CHECKING:
    from bench.attack.target import Target
    from shared.codecs.calibrated.profile import Profile

_MULTIPLICATIONS = 100
"""About as many take as long as one symbol."""
_RANKS = (256, 128, 64, 32, 16, 8)


async def profile_uploads(target: Target) -> None:
    """Small profiles, each another one."""
    shapes = target.shapes
    point = min((name for name in shapes if len(shapes[name]) == 3), key=lambda name: math.prod(shapes[name]))
    salts = itertools.count(1)

    def made() -> bytes:
        profile = worst_profile(
            shapes[point], fingerprint=target.fingerprint, split_point=point,
            context_rank=2, corrector_rank=2, tables=1, kinds=1, salt=next(salts) * 1e-6,
        )  # fmt: skip
        return target.request("PUT", f"/profiles/{profile.name}", profile.data)

    await target.repeat(4, made)


async def costly_profile(target: Target) -> None:
    """The costliest profile that is taken, and frames of a hundred bytes that name it."""
    connection = target.connection()
    try:
        for rank in _RANKS:
            profile = _costly(target, rank)
            if profile is None:
                continue
            status = await target.ask(
                connection, target.request("PUT", f"/profiles/{profile.name}", profile.data)
            )
            if 200 <= status < 300:
                break
        else:
            raise RuntimeError("no costly profile was taken")
    finally:
        connection.close()
    frame = wire.Frame(
        split_point=profile.split_point,
        fingerprint=target.fingerprint,
        frame_id=1,
        capture_time_ns=0,
        deadline_ms=0,
        tensors=(wire.EncodedTensor(Calibrated.id, profile.shape, profile.digest, b""),),
    )
    await target.repeat(32, lambda: target.post(frame), 0.01)


def _costly(target: Target, rank: int) -> Profile | None:
    """The one of this rank whose frames cost most; None if each shows to be above a limit before it is sent."""
    found, most = None, 0
    for point, shape in reversed(target.shapes.items()):
        if point == INPUT or len(shape) != 3:
            continue
        profile = worst_profile(
            shape, fingerprint=target.fingerprint, split_point=point, context_rank=rank, corrector_rank=2 * rank
        )  # fmt: skip
        cost = cost_of(profile)
        with contextlib.suppress(LimitError):
            cost.require_affordable()
            work = cost.multiplications + _MULTIPLICATIONS * cost.symbols
            if work > most and len(profile.data) <= target.model["limits"]["max_profile_bytes"]:
                found, most = profile, work
    return found
