"""What holds while nothing fails: the class of each picture, and how many frames a second the clouds can do."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit

from bench.load.command import request_head
from bench.load.connection import Connection
from bench.load.generator import Generator, Load
from bench.load.result import result_of
from bench.soak.fleet.edge import OK, Picture, read_answer
from shared.wire.frame import pack, unpack

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.soak.fleet.clouds import Member

_CLIENTS = 16
"""Each with one request under way, and the next at once."""
_WARM_S = 1.0
_PATIENCE_S = 60.0


async def know(frames: Sequence[bytes], clouds: Sequence[Member]) -> list[Picture]:
    """The frames with the class that every cloud finds in them. Raises RuntimeError if they do not agree."""
    pictures = []
    for number, data in enumerate(frames):
        frame = unpack(data)
        found = {each.name: await _class_of(each.process.url, data, frame.frame_id) for each in clouds}
        if len(set(found.values())) > 1:
            raise RuntimeError(f"the clouds do not agree on picture {number}: {found}")
        pictures.append(Picture(frame, found.popitem()[1]))
    return pictures


async def _class_of(url: str, data: bytes, frame_id: int) -> int:
    address = urlsplit(url)
    connection = Connection(address)
    try:
        response = await connection.exchange(request_head(address, len(data), {}) + data, _PATIENCE_S)
    finally:
        connection.close()
    if response.status != OK:
        raise RuntimeError(f"a cloud answered a frame with {response.status}: {response.body[:200]!r}")
    return read_answer(response, frame_id).class_id


async def capacity(url: SplitResult, pictures: Sequence[Picture], seconds: float) -> float:
    """Frames/s of a closed loop. Raises RuntimeError if nothing is answered, or something is not."""
    frames = [pack(each.frame) for each in pictures]
    requests = [[request_head(url, len(frame), {}) + frame for frame in frames]]
    load = Load(_CLIENTS, seconds, None, _WARM_S)
    result = result_of(await Generator(url, requests, load, Connection).run())
    bad = result.busy + result.late + result.refused + result.failed
    if bad or not result.answered:
        raise RuntimeError(
            f"while nothing failed, {bad} of {result.answered + bad} requests were not answered"
        )
    return result.throughput_per_s
