"""Where profiles come from: an edge that sends one, a folder that clouds share, or another cloud."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from typing import TYPE_CHECKING

from cloud.bodies.json.body import check_shapes
from cloud.networks.transfers import Transfers
from shared.codecs.calibrated.profile import Profile, digest_of
from shared.codecs.zstd import unpack_profile
from shared.errors import ProfileContentError, RequestError
from shared.limits import MAX_PROFILE_BYTES
from shared.wire.http import IDENTITY
from shared.wire.profile import ZSTD
from shared.wire.server.rate import Rate

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from cloud.access.clients import Account
    from cloud.access.turns import FairTurns
    from cloud.access.waiting import Waiting
    from cloud.frames.threads import ThreadPools
    from cloud.metrics import CloudMetrics
    from cloud.networks.networks import Networks
    from cloud.profiles.fellows import Fellows
    from cloud.profiles.folder import ProfileFolder
    from cloud.profiles.store import Profiles
    from cloud.workers.siblings import Siblings

_log = logging.getLogger(__name__)

_KEPT_BYTES = 64 << 20
"""Files in memory to hand on to other clouds, without a folder. What is more, they get of the edges."""
_AT_ONCE = 4
_QUESTIONS, _QUESTIONS_PER_S = 16, 4.0
"""Names that are looked for elsewhere, at once and later: whoever invents names has other clouds asked no more often."""
_MISSES, _MISSED_S = 3, 2.0
"""Looks for one name in vain, and in so long, before frames that name it are refused at once. Some in vain are usual: its edge sends it now."""
_MOST_MISSED = 1024
_TELL_S = 60.0


class ProfileDesk:
    """On the event loop only, but for `add`."""

    def __init__(
        self,
        store: Profiles,
        pools: ThreadPools,
        metrics: CloudMetrics,
        *,
        places: tuple[Waiting, FairTurns],
        folder: ProfileFolder | None = None,
        fellows: Fellows | None = None,
        workers: Siblings | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`places` are those of clients whose profiles are built. `workers` are the other ones of this cloud, if there are any."""
        self._store = store
        self._pools = pools
        self._metrics = metrics
        self._places, self._turns = places
        self._folder = folder
        self._fellows = fellows
        self._workers = workers
        self._clock = clock
        self.transfers = Transfers()
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._missed: OrderedDict[str, tuple[float, int]] = OrderedDict()
        """Since when, and how often."""
        self._questions = Rate(_QUESTIONS, _QUESTIONS_PER_S, clock)
        self._bringing: dict[str, asyncio.Task[bool]] = {}
        self._told_at = float("-inf")

    async def take(
        self,
        name: str,
        data: bytes,
        account: Account,
        networks: Networks,
        *,
        encoding: str = IDENTITY,
        most_bytes: int = MAX_PROFILE_BYTES,
    ) -> tuple[bool, list[str]]:
        """Check and keep a profile for a client; whether it is new here, and the names of those that it pushed out.

        `encoding`: of `data`, one of shared/wire/profile.py's; `most_bytes`: of what is in it.

        Raises RequestError.
        """
        with self._places.place(account.name):
            async with self._turns.one(account.name):
                if encoding == ZSTD:  # in turn, as it takes memory that nobody has claimed
                    data = await self._pools.profiles.run(_unpacked, data, most_bytes, account)
                new, dropped = await self._pools.profiles.run(
                    self._add_charged, name, data, account, networks
                )
            if self._workers:  # a frame that names it may come to any of them
                await self._workers.profile(data, account.name)
        if self._folder:
            await self._write(name, data)
        else:
            self.keep(name, data)
        return new, dropped

    async def bring(
        self, name: str, account: Account, networks: Networks, patience_s: float, *, anew: bool = False
    ) -> bool:
        """Whether a profile that is missing is here now: from the folder or another cloud, for which this waits so long at most.

        `anew`: also if nobody had it a moment ago, as whoever asks may have sent it to another cloud since.
        """
        until = self._clock() + patience_s
        if earlier := self._bringing.get(name):
            if await self._result(earlier, patience_s):
                return True
            if not earlier.done():
                return False
            # It may have asked the one that has it now before that did.
        task = self._bringing.get(name)
        if task is None:
            if not self._may_ask(name, anew=anew):
                return False
            task = asyncio.create_task(self._bring(name, account, networks, noting=not anew))
            self._bringing[name] = task
            task.add_done_callback(lambda _: self._bringing.pop(name, None))
        return await self._result(task, until - self._clock())

    async def file(self, name: str) -> bytes | None:
        """A profile's file, for another cloud; None if it is not here. Nobody else is asked for it."""
        if data := self._kept.get(name):
            return data
        return await self._read(name) if self._folder else None

    def keep(self, name: str, data: bytes) -> None:
        """Keep a profile's file to hand on, where that is wanted and no folder has it: each worker does, as any of them may be asked."""
        if self._folder or not self._fellows:
            return
        self._kept[name] = data
        self._kept.move_to_end(name)
        while sum(map(len, self._kept.values())) > _KEPT_BYTES:
            self._kept.popitem(last=False)

    def stop(self) -> None:
        """End what goes on."""
        for task in list(self._bringing.values()):
            task.cancel()

    def add(self, data: bytes, networks: Networks, client: Hashable = None) -> list[str]:
        """Keep a profile that frames of one of these networks can use, for `client`; the names of those that it pushed out.

        For any thread. Raises LimitError, ProfileContentError, FingerprintError, SplitPointError, ShapeError or OverQuotaError.
        """
        profile = Profile.from_bytes(data)
        partition = networks.of("profile", profile.fingerprint, client).partition
        check_shapes(profile.shapes, partition.point(profile.split_point).shapes, profile.split_point)
        return self._store.add(profile, client)

    async def _result(self, task: asyncio.Task[bool], patience_s: float) -> bool:
        done, _ = await asyncio.wait({task}, timeout=max(0.0, patience_s))
        return bool(done) and not task.cancelled() and task.result()

    def _may_ask(self, name: str, *, anew: bool) -> bool:
        if not (self._folder or self._fellows) or len(self._bringing) >= _AT_ONCE:
            return False
        return (anew or self._misses(name)[1] < _MISSES) and self._questions.take()

    def _misses(self, name: str) -> tuple[float, int]:
        now = self._clock()
        since, count = self._missed.get(name, (now, 0))
        return (since, count) if now - since < _MISSED_S else (now, 0)

    async def _bring(self, name: str, account: Account, networks: Networks, *, noting: bool) -> bool:
        brought = self._metrics.profiles_brought
        for source in ("folder", "sibling"):
            data = None
            if source == "folder" and self._folder:
                data = await self._read(name)
            elif source == "sibling" and self._fellows:
                data = await self._fellows.profile(name)
            if data is None:
                continue
            try:
                await self.take(name, data, account, networks)
            except RequestError as error:
                brought.labels(source=source, result="failed").inc()
                _log.info("the profile %s of a %s cannot be used here: %s", name, source, error)
                return False
            brought.labels(source=source, result="taken").inc()
            _log.info("the profile %s is here, from a %s: %d bytes", name, source, len(data))
            return True
        brought.labels(source="sibling" if self._fellows else "folder", result="missing").inc()
        if not noting:  # whoever asks is about to send it to one of the clouds, and its frames come next
            return False
        since, count = self._misses(name)
        self._missed[name] = since, count + 1
        self._missed.move_to_end(name)
        while len(self._missed) > _MOST_MISSED:
            self._missed.popitem(last=False)
        return False

    def _add_charged(
        self, name: str, data: bytes, account: Account, networks: Networks
    ) -> tuple[bool, list[str]]:
        """One thread does this, so each profile is built once."""
        with account.computing():
            digest = digest_of(data)
            if digest.hex() != name:
                raise ProfileContentError(
                    f"the body's name is {digest.hex()}, not {name}",
                    accepted={"put": f"/profiles/{digest.hex()}"},
                )
            if self._store.touch(name, account.name):
                return False, []
            dropped = self.add(data, networks, account.name)
            self._metrics.profiles_received.inc()
            return True, dropped

    async def _read(self, name: str) -> bytes | None:
        assert self._folder
        try:
            return await self._pools.files.run(self._folder.read, name)
        except (OSError, ValueError) as error:
            self._fail(error)
            return None

    async def _write(self, name: str, data: bytes) -> None:
        assert self._folder
        try:
            await self._pools.files.run(self._folder.write, name, data)
        except OSError as error:
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        self._metrics.profile_folder_errors.inc()
        if self._clock() >= self._told_at + _TELL_S:
            self._told_at = self._clock()
            _log.warning("the folder of profiles: %s; profiles come from edges then", error)


def _unpacked(data: bytes, most_bytes: int, account: Account) -> bytes:
    with account.computing():
        return unpack_profile(data, most_bytes)
