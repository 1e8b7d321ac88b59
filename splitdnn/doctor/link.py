"""The way of real frames: what they weigh, how long they take, what the link carries, and whether both sides answer alike."""

from __future__ import annotations

import secrets
import statistics
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from edge.frames.preprocess import Preprocess
from edge.uplink.uplink import Uplink
from shared.codecs import encode_frame
from shared.errors import SplitDNNError, UplinkError
from shared.tasks.registry import make_task
from shared.tasks.spec import Wanted
from shared.wire import frame as wire
from splitdnn.doctor.finding import Finding, State

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge.config import EdgeSettings
    from edge.metrics import EdgeMetrics
    from edge.network.loading import Loaded
    from edge.planning.plan import Plan
    from edge.uplink.line import Line

_FRAMES = 12
_LONGEST_S = 10.0
_ALIKE = 0.5
"""The share of an answer that must be the same: codecs change a class with a close second now and then, not half of everything."""


async def look_at_link(
    settings: EdgeSettings,
    line: Line,
    loaded: Loaded,
    plan: Plan,
    picture: NDArray[Any] | None,
    metrics: EdgeMetrics,
) -> list[Finding]:
    """Send a dozen frames one after another, of this camera's picture, (H, W, 3) uint8 BGR, or of a drawn one."""
    if plan.codec is None:
        return [Finding("link", State.UNKNOWN, f"nothing travels at {plan.split_point.name}")]
    wanted = Wanted(settings.top, settings.threshold)
    task = make_task(loaded.model, wanted)
    uplink = Uplink(
        line, loaded.model, task, metrics, wanted=wanted, profiles=[plan.profile] if plan.profile else []
    )
    try:
        await uplink.check()
        sent, crossing = _made(loaded, plan, picture)
        own = task.answer(tuple(output[0] for output in plan.tail(crossing)))
        seconds: list[float] = []
        share, size, until = 0.0, 0, time.monotonic() + _LONGEST_S
        while len(seconds) < _FRAMES and time.monotonic() < until:
            frame = encode_frame(
                sent,
                plan.codec,
                split_point=plan.split_point.name,
                fingerprint=loaded.model.fingerprint,
                frame_id=secrets.randbits(63),
                capture_time_ns=time.time_ns(),
                deadline_ms=max(1, round(1e3 * settings.deadline_s)),
            )
            packed = wire.pack(frame)
            size, start = len(packed), time.perf_counter()
            reply = await uplink.ask(packed, plan.profile)
            seconds.append(time.perf_counter() - start)
            share = task.common(own, reply.answer).share
    except UplinkError as error:
        return [
            Finding(
                "link",
                State.WRONG,
                f"a frame was not answered: {error.reason}: {error}",
                "docs/operations.md says what each reason means",
            )
        ]
    except SplitDNNError as error:
        return [Finding("link", State.WRONG, str(error))]
    finally:
        await uplink.close()
    return [_carries(line, plan, size, seconds, settings.deadline_s), _alike(share)]


def _made(
    loaded: Loaded, plan: Plan, picture: NDArray[Any] | None
) -> tuple[list[NDArray[Any]], tuple[NDArray[Any], ...]]:
    """What travels, and the crossing."""
    recipe = loaded.model.recipe
    if picture is None:
        picture = np.random.default_rng(0).integers(0, 256, recipe.picture_shape, np.uint8)
    fitted = Preprocess(recipe)(picture)
    crossing = plan.head((recipe.normalise(fitted)[None],))
    assert plan.codec is not None
    return ([fitted] if plan.codec.carries == "picture" else [each[0] for each in crossing]), crossing


def _carries(line: Line, plan: Plan, size: int, seconds: list[float], deadline_s: float) -> Finding:
    assert plan.codec is not None
    middle_s, state = statistics.median(seconds), line.link.state
    speed = (
        f"{state.bytes_per_s / 1e3:.0f} kB/s"
        if line.link.is_known
        else "not known, as frames are too short to tell"
    )
    text = (
        f"{len(seconds)} frames of {size / 1e3:.1f} kB ({plan.split_point.name}, {plan.label}) in {1e3 * middle_s:.0f} ms each "
        f"(worst: {1e3 * max(seconds):.0f} ms); throughput {speed}"
    )
    if max(seconds) > deadline_s / 2:
        return Finding(
            "link", State.DOUBTFUL, text,
            "frames need more than half of --deadline-s: choose a later split point, --codec calibrated, or --split-point auto",
        )  # fmt: skip
    return Finding("link", State.GOOD, text)


def _alike(share: float) -> Finding:
    text = f"the cloud and this edge give {share:.0%} of the same answer to the same picture"
    if share < _ALIKE:
        return Finding(
            "answers",
            State.WRONG,
            text,
            "compare weights, recipe and engine of both sides; --verify-share goes on comparing",
        )
    return Finding("answers", State.GOOD, text)
