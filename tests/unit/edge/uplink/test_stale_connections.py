"""A link that was cut leaves connections that only look open. A frame's repeat does not go by another of these."""

from __future__ import annotations

import asyncio

from aiohttp import web
from kits.uplink import FRAME, GOOD, metric, with_cloud


def test_a_frame_that_met_a_dead_connection_is_repeated_by_a_new_one_however_many_are_dead():
    async def check(cloud, uplink):
        everyone = asyncio.Barrier(4)

        async def together(_request):
            await everyone.wait()
            return web.json_response(GOOD)

        cloud.answer = together
        await asyncio.gather(*(uplink.ask(FRAME) for _ in range(4)))
        dead = set(cloud.connections)
        assert len(dead) == 4

        async def answer(request):
            if request.transport.get_extra_info("peername") in dead:
                request.transport.abort()
                return web.Response()
            return web.json_response(GOOD)

        cloud.answer = answer
        for number in range(1, 5):
            await uplink.ask(FRAME)
            assert metric(uplink, "retries_total") == number

    with_cloud(check)
