"""Attacks by profiles: what a client may send is chosen by him, and so is what each frame of it costs."""

from __future__ import annotations

import itertools
import math
from functools import cache
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
    """One of this rank for the tensor whose frames cost most; None if it shows to be above a limit before it is sent."""
    shapes = {name: each for name, each in target.shapes.items() if name != INPUT and len(each) == 3}
    # Multiplications go by elements and channels; of split points that are alike, the end of a stage is the last.
    point = max(reversed(shapes), key=lambda name: math.prod(shapes[name]) * shapes[name][0])
    profile = _made(shapes[point], target.fingerprint, point, rank)
    try:
        cost_of(profile).require_affordable()
    except LimitError:
        return None
    return profile


@cache
def _made(shape: tuple[int, ...], fingerprint: bytes, point: str, rank: int) -> Profile:
    return worst_profile(
        shape, fingerprint=fingerprint, split_point=point, context_rank=rank, corrector_rank=2 * rank
    )
