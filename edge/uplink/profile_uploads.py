"""The profiles of all plans, on their way to the cloud."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from edge.uplink.profile_upload import ProfileUpload
from edge.uplink.reply import UplinkError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from prometheus_client import Counter

    from shared.codecs.calibrated.profile import Profile


class ProfileUploads:
    """One upload a profile, one after another.

    Where there is one, the first frame waits for it: nothing can be decoded without. Who has several has plans that need
    none as well; frames then go on while megabytes cross a thin link.
    """

    def __init__(
        self,
        profiles: Iterable[Profile],
        put: Callable[[str, bytes, float], Awaitable[tuple[int, bytes]]],
        uploads: Counter,
        *,
        wait: bool,
        patience_s: float,
    ) -> None:
        """`wait`: whether the first frame waits; the rest as for ProfileUpload."""
        self._uploads = {
            profile.name: ProfileUpload(profile, put, uploads, patience_s=patience_s) for profile in profiles
        }
        self._wait = wait
        self._bringing: asyncio.Task[None] | None = None

    def of(self, profile: Profile | None) -> ProfileUpload | None:
        """The upload of a profile that was given at the start."""
        return self._uploads[profile.name] if profile else None

    def has(self, profile: Profile | None) -> bool:
        """Whether the cloud can decode what was encoded with this profile, as far as is known."""
        upload = self.of(profile)
        return upload is None or upload.is_there

    async def greet(self, there: dict[str, Any]) -> None:
        """`there`: the answer to `GET /model`. Raises UplinkError if the cloud went away while the first frame waits."""
        missing = [upload for upload in self._uploads.values() if not upload.is_listed(there)]
        if self._wait:
            for upload in missing:
                await upload.bring_at_leisure()
        elif missing and (self._bringing is None or self._bringing.done()):
            self._bringing = asyncio.create_task(_bring(missing))

    async def close(self) -> None:
        """End those under way."""
        if self._bringing:
            self._bringing.cancel()
            await asyncio.gather(self._bringing, return_exceptions=True)
        for upload in self._uploads.values():
            await upload.close()


async def _bring(missing: list[ProfileUpload]) -> None:
    try:
        for upload in missing:
            await upload.bring_at_leisure()
    except UplinkError:
        """The cloud went away; when it is greeted again, the rest is brought."""
