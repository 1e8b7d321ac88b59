"""An upgrade that is led elsewhere: nobody there sees the token."""

import asyncio

import pytest
from aiohttp import web
from prometheus_client import CollectorRegistry, Counter

from edge.uplink.client import CloudClient
from edge.uplink.session.connection import Connection, NoUpgradeError
from shared.security.tokens.bearer import Bearer


async def served(handler):
    app = web.Application()
    app.router.add_get("/{any:.*}", handler)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return runner, f"http://127.0.0.1:{runner.addresses[0][1]}"


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_an_upgrade_follows_nobody(status):
    async def go():
        seen = []

        async def elsewhere(request):
            seen.append(request.headers.get("Authorization"))
            return web.Response(status=404)

        async def leads(request):
            return web.Response(status=status, headers={"Location": there})

        other, there = await served(elsewhere)
        runner, url = await served(leads)
        count = Counter("bytes", "Bytes.", registry=CollectorRegistry())
        client = CloudClient(url, count, connections=2, bearer=Bearer.of_token("sdn_" + "a" * 43))
        try:
            with pytest.raises(NoUpgradeError, match=str(status)) as caught:
                await Connection.open(client, 5.0)
        finally:
            await runner.cleanup()
            await other.cleanup()
        assert caught.value.reason == "refused"
        assert seen == []

    asyncio.run(asyncio.wait_for(go(), 20))
