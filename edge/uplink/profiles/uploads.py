"""Bringing the codecs' profiles to the cloud: before the first frame, after a reconnect, and whenever the cloud lacks one."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Any

from shared.codecs.calibrated.codec import Calibrated
from shared.errors import UplinkError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from shared.codecs.base import Codec
    from shared.codecs.calibrated.profile import Profile
    from shared.observing.counting.counter import Counter

_log = logging.getLogger(__name__)

UPLOAD_TIMEOUT_S = 100.0
"""Not a frame's deadline, as a profile may be megabytes; the cloud waits for it longer than this."""
PAUSE_S = 30.0
"""After a refusal. Only a change at the cloud can resolve it; meanwhile no frame is sent to be refused."""


class ProfileUpload:
    """One profile, and whether the cloud takes it. One upload at a time; used from the event loop only."""

    def __init__(
        self,
        profile: Profile,
        put: Callable[[str, bytes, float], Awaitable[None]],
        uploads: Counter,
        *,
        patience_s: float,
    ) -> None:
        """`put(name, data, timeout_s)` uploads a profile, or raises UplinkError; `uploads` counts those taken.

        `patience_s`, the frames' deadline, is how long after an upload began frames still wait for its end.
        """
        self._profile = profile
        self._put = put
        self._uploads = uploads
        self._patience_s = patience_s
        self._task: asyncio.Task[None] | None = None
        self._started = 0.0
        self._paused_until = self._ended = float("-inf")
        self._told = ""
        self.is_there = False
        """Whether the cloud has it, as far as is known."""
        self.taken = 0
        """Uploads that the cloud took. A frame that was sent before the latest of them need not ask for another."""

    def is_listed(self, said: dict[str, Any]) -> bool:
        """Whether `said`, the answer to `GET /model`, lists the profile."""
        listed = said.get("profiles")
        self.is_there = isinstance(listed, list) and self._profile.name in listed
        if self.is_there:
            self._paused_until = float("-inf")
        return self.is_there

    async def bring_at_leisure(self) -> None:
        """Bring the profile, however long it takes.

        Raises UplinkError if the cloud went away. A refusal is logged, and is not an error until there is a frame.
        """
        try:
            await self._wait(self._under_way(), UPLOAD_TIMEOUT_S + 1)
        except UplinkError as error:
            if error.reason != "profile":
                raise

    def require_hope(self) -> None:
        """Raise UplinkError while a frame could not be decoded, because the cloud has refused the profile."""
        if time.monotonic() < self._paused_until:
            raise UplinkError("profile", self._told)

    def took_time_since(self, start: float) -> bool:
        """Whether an upload was under way at any moment since `start`, in monotonic seconds."""
        return self._task is not None or self._ended >= start

    async def ready(self) -> None:
        """Before a frame is sent: wait for an upload under way. Raises UplinkError."""
        if self._task:
            await self._wait_briefly(self._task, self._patience_s)

    async def bring(self, patience_s: float) -> None:
        """The cloud said that it does not have the profile: bring it, and wait for at most `patience_s`. Raises UplinkError."""
        self.is_there = False
        self.require_hope()  # another frame's upload may have been refused since this one was sent
        await self._wait_briefly(self._under_way(), patience_s)

    def not_kept(self) -> UplinkError:
        """The cloud took the profile, and does not have it when the frame comes: pause, or each frame would cost an upload."""
        self.is_there = False
        return self._failed(UplinkError("profile", "it was taken, and is not there when its frame comes"))

    async def close(self) -> None:
        """Cancel an upload under way."""
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def _under_way(self) -> asyncio.Task[None]:
        if self._task is None:
            self._started = time.monotonic()
            self._task = asyncio.create_task(self._upload())
            self._task.add_done_callback(self._forget)
        return self._task

    def _forget(self, task: asyncio.Task[None]) -> None:
        self._task = None
        self._ended = time.monotonic()
        if not task.cancelled():
            task.exception()  # marks it as seen: perhaps no frame waited for it

    async def _wait_briefly(self, task: asyncio.Task[None], patience_s: float) -> None:
        """Wait only while the upload is young: later frames are answered by the edge without delay."""
        await self._wait(task, min(patience_s, self._started + self._patience_s - time.monotonic()))

    async def _wait(self, task: asyncio.Task[None], patience_s: float) -> None:
        await asyncio.wait({task}, timeout=max(0.0, patience_s))
        if not task.done():
            raise UplinkError("profile", "the profile is still on its way to the cloud")
        task.result()

    async def _upload(self) -> None:
        name, data = self._profile.name, self._profile.data
        try:
            await self._put(name, data, UPLOAD_TIMEOUT_S)
        except UplinkError as error:
            raise self._failed(error) from None
        self.taken += 1
        self.is_there = True
        self._uploads.inc()
        self._paused_until, self._told = float("-inf"), ""
        _log.info(
            "the cloud has the profile %s: %d bytes, %.1f s",
            name,
            len(data),
            time.monotonic() - self._started,
        )

    def _failed(self, error: UplinkError) -> UplinkError:
        """Log the error once, and pause: an upload that took long to fail is not retried at once."""
        if error.reason in (
            "late",
            "refused",
        ):  # too slow a link, or an endless answer: not likely to change soon
            error = UplinkError("profile", str(error))
        now = time.monotonic()
        pause_s = PAUSE_S if error.reason == "profile" else min(PAUSE_S, now - self._started)
        self._paused_until = now + pause_s
        if str(error) != self._told:
            self._told = str(error)
            _log.warning(
                "the cloud did not take the profile %s: %s; the edge answers by itself and tries again after %.0f s",
                self._profile.name,
                error,
                pause_s,
            )
        return error


class ProfileUploads:
    """Uploads the profiles of all plans, one after another.

    If there is only one plan, the first frame waits for its profile, without which the cloud can decode nothing. If there are
    several, some need no profile; frames then flow while megabytes cross a slow link.
    """

    def __init__(
        self,
        profiles: Iterable[Profile],
        put: Callable[[str, bytes, float], Awaitable[None]],
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
        self._codecs: set[str] | None = None
        """Names of the codecs that the cloud has; it may lack those of other packages. None: it did not say."""
        self._bringing: asyncio.Task[None] | None = None

    def of(self, profile: Profile | None) -> ProfileUpload | None:
        """The upload of a profile that was given at the start; None without a profile."""
        return self._uploads[profile.name] if profile else None

    def serve(self, codec: Codec) -> bool:
        """Whether the cloud can decode what this codec encodes, as far as is known."""
        if self._codecs is not None and codec.name not in self._codecs:
            return False
        upload = self.of(codec.profile if isinstance(codec, Calibrated) else None)
        return upload is None or upload.is_there

    async def greet(self, said: dict[str, Any]) -> None:
        """Bring what `said`, the answer to `GET /model`, does not list.

        Raises UplinkError if the cloud went away while the first frame waits.
        """
        codecs = said.get("codecs")
        self._codecs = set(codecs) if isinstance(codecs, dict) else None
        missing = [upload for upload in self._uploads.values() if not upload.is_listed(said)]
        if self._wait:
            for upload in missing:
                await upload.bring_at_leisure()
        elif missing and (self._bringing is None or self._bringing.done()):
            self._bringing = asyncio.create_task(_bring(missing))

    async def close(self) -> None:
        """Cancel the uploads under way."""
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
        """The cloud went away. When it is greeted again, the rest is brought."""
