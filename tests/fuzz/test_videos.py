"""Videos, damaged: a picture of the frame's shape or a refusal, and whatever a decoder dies of costs its own stream a keyframe."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import numpy as np
import pytest
from kits.codecs import VIDEO_CODECS, name_of
from kits.fuzz.campaign import try_out
from kits.fuzz.mutations import damaged
from kits.videos import NONE, Room, encoded, moving

from shared.errors import RequestError

if TYPE_CHECKING:
    import random

PICTURES = moving(3, 40, 56)
SHAPE = PICTURES[0].shape
WAIT_S = 60.0


@pytest.mark.parametrize("codec", VIDEO_CODECS, ids=name_of)
def test_payloads(codec):
    frames = encoded(codec.name, PICTURES)
    payloads = [frame.payload for frame in frames]

    def make(chance: random.Random) -> bytes:
        number = chance.randrange(2)
        return bytes([number]) + damaged(chance, payloads[number], payloads)

    with asyncio.Runner() as runner:
        room = Room()

        async def check(data: bytes) -> object:
            """The picture of a damaged keyframe, or of a damaged picture after a whole one."""
            stream = room.open()
            try:
                params = NONE
                if data[0]:
                    await stream.decode(codec.id, *frames[0], SHAPE, WAIT_S)
                    params = frames[1].params
                found = await stream.decode(codec.id, params, data[1:], SHAPE, WAIT_S)
            except RequestError:
                found = None
            else:
                assert (found.shape, found.dtype) == (SHAPE, np.uint8)
            for frame in frames[:2]:
                await stream.decode(codec.id, *frame, SHAPE, WAIT_S)
            stream.close()
            return found

        try:
            passed = try_out(
                f"videos {codec.name}", 300, make, lambda data: runner.run(check(data)), seconds=6
            )
        finally:
            room.decoders.stop()
    assert passed > 0.01, "some pass, so more than the headers is tried"
