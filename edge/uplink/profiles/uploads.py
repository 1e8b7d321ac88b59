"""Bringing the codecs' profiles to the cloud: before the first frame, after a reconnect, and whenever a cloud lacks one."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from edge.uplink.profiles.clouds import UNNAMED
from edge.uplink.profiles.upload import ProfileUpload
from shared.wire.cloud_id import cloud_id_in

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edge.uplink.client import CloudClient
    from edge.uplink.profiles.metrics import FleetMetrics
    from shared.codecs.calibrated.profile import Profile

LEISURE_S = 20.0
"""So long at most the first frame waits for profiles that are on their way."""


class ProfileUploads:
    """Uploads the profiles of all plans, one after another.

    If there is only one plan, the first frame waits for its profile, without which the cloud can decode nothing. If there are
    several, some need no profile; frames then flow while megabytes cross a slow link.
    """

    def __init__(
        self,
        profiles: Iterable[Profile],
        client: CloudClient,
        metrics: FleetMetrics,
        *,
        wait: bool,
        patience_s: float,
    ) -> None:
        """`wait`: whether the first frame waits; the rest as for ProfileUpload."""
        self._uploads = {
            profile.name: ProfileUpload(profile, client, metrics, patience_s=patience_s)
            for profile in profiles
        }
        self._wait = wait
        self._bringing: asyncio.Task[None] | None = None

    def of(self, profile: Profile | None) -> ProfileUpload | None:
        """The upload of a profile that was given at the start; None without a profile."""
        return self._uploads[profile.name] if profile else None

    async def greet(self, said: dict[str, Any]) -> None:
        """Bring what `said`, the answer to `GET /model`, does not list.

        Where the first frame waits, it does so for LEISURE_S at most: over a thin link megabytes take minutes. Raises UplinkError if the cloud
        went away meanwhile.
        """
        missing = [upload for upload in self._uploads.values() if not upload.is_listed(said)]
        cloud = cloud_id_in(said.get("cloud")) or UNNAMED
        if missing and (self._bringing is None or self._bringing.done()):
            self._bringing = asyncio.create_task(_bring(missing, cloud))
            self._bringing.add_done_callback(_noted)
        if missing and self._wait and self._bringing:
            await asyncio.wait({self._bringing}, timeout=LEISURE_S)
            if self._bringing.done():
                self._bringing.result()

    async def bring(self, profile: Profile) -> None:
        """Bring one that the cloud lacks, unless a greeting does so now. Raises UplinkError if the cloud went away, or has just refused it."""
        if self._bringing is None or self._bringing.done():
            upload = self._uploads[profile.name]
            upload.require_hope()
            await upload.bring_at_leisure()

    async def close(self) -> None:
        """Cancel the uploads under way."""
        if self._bringing:
            self._bringing.cancel()
            await asyncio.gather(self._bringing, return_exceptions=True)
        for upload in self._uploads.values():
            await upload.close()


async def _bring(missing: list[ProfileUpload], cloud: str) -> None:
    """One after another: together each might be too slow for the cloud. Raises UplinkError if the cloud goes away; when it is greeted again, the rest is brought."""
    for upload in missing:
        await upload.bring_at_leisure(cloud)


def _noted(task: asyncio.Task[None]) -> None:
    if not task.cancelled():
        task.exception()  # perhaps no frame waited for it
