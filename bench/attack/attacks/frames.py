"""Attacks by frames, whole and broken, and by JSON."""

from __future__ import annotations

import itertools
import json
import random
from typing import TYPE_CHECKING

from shared.network.partition import INPUT, OUTPUT
from shared.wire import frame as wire

if TYPE_CHECKING:
    from bench.attack.target import Target

_FLOOD = 64
_REFUSED_S = 0.01
_JSON_NUMBERS = 2_000_000


async def heavy_frames(target: Target) -> None:
    """Many connections send what costs most, the whole network, each frame under another random id."""
    frame = target.frame(INPUT)
    await target.repeat(_FLOOD, lambda: target.post(frame), _REFUSED_S)


async def every_split_point(target: Target) -> None:
    """A few bytes a frame, and another split point each time."""
    frames = itertools.cycle([target.frame(name) for name in target.shapes if name != OUTPUT])
    await target.repeat(16, lambda: target.post(next(frames)), _REFUSED_S)


async def broken_frames(target: Target) -> None:
    """Frames that are refused, as fast as they can be sent: cheap to make, and each has an answer."""
    good = wire.pack(target.frame(target.model["default_split_point"]))
    chance = random.Random(0)  # noqa: S311 - guards nothing

    def broken() -> bytes:
        place = chance.randrange(len(good))
        return target.post(good[:place] + bytes([good[place] ^ 1 << chance.randrange(8)]) + good[place + 1 :])

    await target.repeat(32, broken)


async def large_json(target: Target) -> None:
    """Bodies of megabytes that are parsed to the end before anybody can say that they are no tensor."""
    body = json.dumps({"data": [0.5] * _JSON_NUMBERS}).encode()
    await target.repeat(4, lambda: target.request("POST", "/model", body, "application/json"), _REFUSED_S)
