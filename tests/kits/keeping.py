"""A fake cloud that keeps profiles, and uplinks that bring it one."""

from __future__ import annotations

import asyncio
import logging

from kits.gain import gain_profile
from kits.uplink import GOOD, HERE, MODEL, with_cloud

PROFILE = gain_profile(MODEL.fingerprint, "layer3", (4, 3, 5))
PATH = f"/profiles/{PROFILE.name}"
MISSING = (424, {"error": "not here", "reason": "profile_missing", "accepted": {"put": PATH}})


class Keeping:
    """Makes a fake cloud keep profiles as a real one does; `forget` is its restart."""

    def __init__(self, cloud):
        self.cloud = cloud
        self.names = set()
        self.go_on = asyncio.Event()
        self.go_on.set()
        cloud.model, cloud.answer, cloud.put = self.model, self.answer, self.put

    async def model(self, request):
        return await self.cloud._respond(HERE | {"profiles": sorted(self.names)}, request)

    async def answer(self, request):
        return await self.cloud._respond(GOOD if PROFILE.name in self.names else MISSING, request)

    async def put(self, request):
        await self.go_on.wait()
        self.names.add(request.match_info["name"])
        return await self.cloud._respond((201, {}), request)

    def forget(self):
        self.names.clear()


def check_with(check, **options):
    """Run `check(cloud, keeping, uplink)` with an uplink that has the profile."""

    async def with_keeping(cloud, uplink):
        await check(cloud, Keeping(cloud), uplink)

    with_cloud(with_keeping, profiles=[PROFILE], **options)


def told(caplog):
    return [each.getMessage() for each in caplog.records if each.levelno >= logging.WARNING]
