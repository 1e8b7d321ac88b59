"""One profile on its way to the clouds that lack it, and what frames wait for meanwhile."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Any

from edge.uplink.client import ProxyError
from edge.uplink.profiles.clouds import UNNAMED
from edge.uplink.profiles.holders import PERIOD_S, Holders
from edge.uplink.profiles.search import find_taker
from edge.uplink.profiles.sending import PackedError, put
from shared.codecs.zstd import pack_profile
from shared.errors import UplinkError
from shared.wire.cloud_id import cloud_id_in
from shared.wire.http import IDENTITY
from shared.wire.profile import ZSTD, transfer_s

if TYPE_CHECKING:
    from edge.uplink.client import CloudClient
    from edge.uplink.profiles.metrics import FleetMetrics
    from shared.codecs.calibrated.profile import Profile

_log = logging.getLogger(__name__)

_LARGE_BYTES = 32 << 10
"""So long a profile is worth a question before it is sent: the cloud may have it, or find it at another."""
PAUSE_S = 30.0
"""After a refusal. Only a change at the cloud can resolve it; meanwhile no frame is sent to be refused."""


class ProfileUpload:
    """One profile, and which clouds have it. One upload at a time; used from the event loop only."""

    def __init__(
        self, profile: Profile, client: CloudClient, metrics: FleetMetrics, *, patience_s: float
    ) -> None:
        """`patience_s`, the frames' deadline, is how long after an upload began frames still wait for its end."""
        self._profile = profile
        self._client = client
        self._metrics = metrics
        self._patience_s = patience_s
        self._task: asyncio.Task[None] | None = None
        self._started = 0.0
        self._paused_until = self._ended = self._short_until = float("-inf")
        self._told = ""
        self.packs = False
        """Whether the cloud has said that it unpacks what comes packed."""
        self.holders = Holders(client.clouds)
        self.taken = 0
        """Uploads that a cloud took. A frame that was sent before the latest of them need not ask for another."""

    @property
    def is_there(self) -> bool:
        """Whether a cloud has it, as far as is known."""
        return self.holders.are_there()

    def is_listed(self, said: dict[str, Any]) -> bool:
        """Whether `said`, the answer to `GET /model`, lists the profile; it says as well how one may come."""
        profiles, encodings = said.get("profiles"), said.get("profile_encodings")
        self.packs = isinstance(encodings, list) and ZSTD in encodings
        listed = isinstance(profiles, list) and self._profile.name in profiles
        self.holders.note(cloud_id_in(said.get("cloud")) or UNNAMED, there=listed)
        if listed:
            self._paused_until = float("-inf")
        return listed

    async def bring_at_leisure(self, cloud: str = UNNAMED) -> None:
        """Bring the profile, however long it takes: to `cloud`, where a balancer can see to that.

        Raises UplinkError if the cloud went away. A refusal is logged, and is not an error until there is a frame.
        """
        if not self._task and not self._may_send():
            return
        try:
            await asyncio.shield(self._under_way(cloud))
        except UplinkError as error:
            if error.reason != "profile":
                raise

    def require_hope(self) -> None:
        """Raise UplinkError while a frame could not be decoded, because the cloud has refused the profile."""
        if time.monotonic() < self._paused_until and not self._others_have_it():
            raise UplinkError("profile", self._told)

    def took_time_since(self, start: float) -> bool:
        """Whether an upload was under way at any moment since `start`, in monotonic seconds."""
        return self._task is not None or self._ended >= start

    async def ready(self) -> None:
        """Before a frame is sent: wait for an upload under way, unless that takes long and another cloud can answer. Raises UplinkError."""
        if self._task:
            await self._wait_if_alone(self._task, self._patience_s)

    async def bring(self, cloud: str, patience_s: float) -> None:
        """The cloud said that it does not have the profile: bring it, and wait for at most `patience_s`. Raises UplinkError.

        If there are several clouds this may return without it: one of the others has it, and the frame may as well be sent again.
        """
        self.require_hope()  # another frame's upload may have been refused since this one was sent
        if self._task or self._may_send():
            await self._wait_if_alone(self._under_way(cloud), patience_s)
        elif not self.holders.are_there():
            raise UplinkError(
                "profile", "it was sent as often as there are clouds, and none is known to have it"
            )

    def not_kept(self) -> UplinkError:
        """The cloud took the profile, and does not have it when the frame comes: pause, or each frame would cost an upload."""
        return self._failed(UplinkError("profile", "it was taken, and is not there when its frame comes"))

    async def close(self) -> None:
        """Cancel an upload under way."""
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def is_for_several(self) -> bool:
        """Whether several clouds are behind the address."""
        return self._client.clouds.are_several()

    def _others_have_it(self) -> bool:
        return self.is_for_several() and self.holders.are_there()

    def _may_send(self) -> bool:
        if self.holders.may_send():
            return True
        self._metrics.profile_shortages.inc()
        if time.monotonic() >= self._short_until:
            self._short_until = time.monotonic() + PERIOD_S
            _log.warning(
                "the profile %s was sent as often as there are clouds behind this address, and one of them lacks it: frames are sent again "
                "until they reach one that has it. A folder that the clouds share, their --siblings, or a balancer that heeds SplitDNN-Cloud "
                "would help",
                self._profile.name,
            )
        return False

    def _under_way(self, cloud: str) -> asyncio.Task[None]:
        if self._task is None:
            self._started = time.monotonic()
            self._task = asyncio.create_task(self._upload(cloud))
            self._task.add_done_callback(self._forget)
        return self._task

    def _forget(self, task: asyncio.Task[None]) -> None:
        self._task = None
        self._ended = time.monotonic()
        if not task.cancelled():
            task.exception()  # marks it as seen: perhaps no frame waited for it

    async def _wait_if_alone(self, task: asyncio.Task[None], patience_s: float) -> None:
        """Wait only while the upload is young: later frames are answered by another cloud, or by the edge without delay."""
        try:
            await self._wait(task, min(patience_s, self._started + self._patience_s - time.monotonic()))
        except UplinkError:
            if not self._others_have_it():
                raise

    async def _wait(self, task: asyncio.Task[None], patience_s: float) -> None:
        await asyncio.wait({task}, timeout=max(0.0, patience_s))
        if not task.done():
            raise UplinkError("profile", "the profile is still on its way to the cloud")
        task.result()

    async def _upload(self, cloud: str) -> None:
        name, data = self._profile.name, self._profile.data
        if cloud and (len(data) >= _LARGE_BYTES or self.is_for_several()):
            questions = self._metrics.profile_questions
            if not await find_taker(self._client, name, self.holders, cloud, self._patience_s, questions):
                return
        try:
            taker = await self._put(cloud)
        except UplinkError as error:
            raise self._failed(error) from None
        self.taken += 1
        self.holders.note(taker, there=True)
        self._metrics.profile_uploads.inc()
        self._paused_until, self._told = float("-inf"), ""
        _log.info(
            "the cloud %shas the profile %s: %d bytes, %.1f s",
            f"{taker} " if taker else "",
            name,
            len(data),
            time.monotonic() - self._started,
        )

    async def _put(self, cloud: str) -> str:
        """Send it, and once more if a balancer had no cloud for it; the cloud that took it. Raises UplinkError."""
        self.holders.sent()
        try:
            return await self._put_once(cloud)
        except ProxyError as error:
            self._metrics.proxy_answered(error.status)
            if not error.passes or not self._may_send():
                raise
        self.holders.sent()
        return await self._put_once(cloud)

    async def _put_once(self, cloud: str) -> str:
        """To an earlier cloud as it is, which may be behind the address of one that unpacks."""
        name, data = self._profile.name, self._profile.data
        if self.packs:
            packed = await asyncio.to_thread(pack_profile, data)
            try:
                return await put(self._client, name, packed, transfer_s(len(packed[0])), cloud)
            except PackedError:
                self.packs = False
        return await put(self._client, name, (data, IDENTITY), transfer_s(len(data)), cloud)

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
