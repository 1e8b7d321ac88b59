"""A refusal that says when to come again."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import web
from kits.uplink import FRAME, fake_cloud

from splitdnn import Client, ClientError


def test_when_to_come_again_is_what_the_cloud_says():
    async def go():
        async with fake_cloud() as cloud, Client(cloud.url) as client:
            for header, seconds in (("7", 7), ("0", 0), ("soon", None), ("9" * 30, None), (None, None)):

                async def refuse(_request, header=header):
                    body = {
                        "error": "too much",
                        "reason": "over_quota",
                        "accepted": {"frames_in_flight": 128},
                    }
                    return web.json_response(
                        body, status=429, headers={"Retry-After": header} if header else {}
                    )

                cloud.answer = refuse
                with pytest.raises(ClientError) as caught:
                    await client.send(FRAME)
                error = caught.value
                assert (error.reason, error.status, error.retryable) == ("over_quota", 429, True)
                assert (error.retry_after_s, error.accepted) == (seconds, {"frames_in_flight": 128}), header

    asyncio.run(asyncio.wait_for(go(), 120))
