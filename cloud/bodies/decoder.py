"""From a request's complete body to the work that it asks for, and from outputs to answers, off the event loop."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Any, TypeVar

from cloud.access.turns import FairTurns
from cloud.bodies.frames import (
    Checked,
    Work,
    check_frame,
    decode_frame,
    is_to_resize,
    is_video,
    read_json,
    work_of,
    work_with,
)
from cloud.bodies.json.process import JsonProcess
from cloud.bodies.json.worker import FORMS
from cloud.bodies.pictures.file import read_file
from cloud.bodies.pictures.picture import decode_picture
from cloud.bodies.video.decoders import VideoDecoders
from shared.errors import DeadlineError
from shared.limits import MAX_PICTURE_PIXELS
from shared.network.partition import INPUT
from shared.wire.frame import Frame, unpack

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from cloud.access.clients import Account
    from cloud.access.ledger import Entry
    from cloud.bodies.body import Body
    from cloud.bodies.pictures.file import PictureFile
    from cloud.bodies.video.stream import VideoStream
    from cloud.config import CloudSettings
    from cloud.frames.threads import ThreadPools
    from cloud.metrics import CloudMetrics
    from cloud.networks.network import LoadedNetwork
    from cloud.networks.networks import Networks
    from cloud.profiles.store import Profiles
    from shared.wire.frame import Bytes

    Remaining = Callable[[int], float]
    """Seconds that are left to a frame whose deadline is so many milliseconds; 0 is the server's own deadline."""
    Reads = Callable[[], tuple[LoadedNetwork, Work | Checked]]
    """Decodes a frame, on a thread, unless it is a picture that has to be resized. Charges its sender. Raises RequestError."""

_Result = TypeVar("_Result")

_LARGE_JSON_BYTES = 64 << 10
"""Parsing this much takes a millisecond, which is what other frames may be held up for."""


class Decoder:
    """Reads bodies on the pool, pictures that take long on a pool of their own, and large JSON in another process."""

    def __init__(
        self,
        networks: Networks,
        profiles: Profiles,
        pools: ThreadPools,
        metrics: CloudMetrics,
        settings: CloudSettings,
    ) -> None:
        self.json_process = JsonProcess()
        self.videos = VideoDecoders(settings.video_streams, pools.decode.size, metrics)
        self.turns = FairTurns(pools.decode.size)
        self._picture_turns = FairTurns(pools.pictures.size)
        self.large_turns = FairTurns(1)
        self._json_turns = FairTurns(1)
        self._networks = networks
        self._profiles = profiles
        self._pools = pools
        self._cpu = metrics.step_cpu
        self._max_tensors = settings.queue_capacity

    async def stop(self) -> None:
        """Cancel what waits for its turn, and end the processes that read JSON and decode videos."""
        for turns in (self.turns, self._picture_turns, self.large_turns, self._json_turns):
            turns.stop()
        self.videos.stop()
        await self.json_process.stop()

    async def read(
        self,
        read: Reads,
        account: Account,
        remaining: Remaining,
        video: Callable[[], VideoStream] | None = None,
    ) -> tuple[LoadedNetwork, Work]:
        """The work of what `read` decodes, and the network that it is for; `video` gives the `stream` of `finished`.

        Clients take turns, and `account` is charged for the processor time, whatever becomes of the frame. Raises RequestError.
        """
        async with self.turns.one(account.name, remaining(0)):
            network, work = await self._pools.decode.run_to_end(read)
        stream = video() if video and isinstance(work, Checked) and is_video(work) else None
        return network, await self.finished(work, account, network, remaining, stream)

    async def finished(
        self,
        work: Work | Checked,
        account: Account,
        network: LoadedNetwork,
        remaining: Remaining,
        stream: VideoStream | None = None,
    ) -> Work:
        """The work of a frame of which no more was done than `read_frame` does; `stream` as for `VideoDecoders.picture`. Raises RequestError."""
        if isinstance(work, Work):
            return work
        picture = None
        if is_video(work):
            left_s = remaining(work.frame.deadline_ms)
            picture = await self.videos.picture(work.frame.tensors[0], account, left_s, stream)
        async with self._picture_turns.one(account.name, remaining(0)):
            return await self._pools.pictures.run_to_end(
                self._decode_picture, work, account, network, remaining, picture
            )

    async def picture(
        self,
        file: Callable[[], Bytes],
        account: Account,
        remaining: Remaining,
        network: LoadedNetwork | None = None,
    ) -> tuple[LoadedNetwork, Work]:
        """The work of a picture's file, for the current network if no other is given; `account` as for a frame. `file` is called on a thread.

        Of pictures larger than a frame may bring, one is decoded at a time. Raises RequestError.
        """
        network = network or self._networks.current
        async with self.turns.one(account.name, remaining(0)):
            found = await self._pools.decode.run_to_end(self._read_file, file, account)
        network.usage.note(INPUT)
        async with contextlib.AsyncExitStack() as held:
            if found.pixels > MAX_PICTURE_PIXELS:
                await held.enter_async_context(self.large_turns.one(account.name, remaining(0)))
            await held.enter_async_context(self._picture_turns.one(account.name, remaining(0)))
            work = await self._pools.pictures.run_to_end(
                self._decode_file, found, account, network, remaining
            )
        return network, work

    async def json(
        self,
        body: Body,
        account: Account,
        remaining: Remaining,
        network: LoadedNetwork | None = None,
        form: str = "tensors",
    ) -> tuple[LoadedNetwork, Work]:
        """The work of a JSON body of this form, for the current network if no other is given; `account` as for a frame. Raises RequestError."""
        network = network or self._networks.current
        if body.size <= _LARGE_JSON_BYTES:
            async with self.turns.one(account.name, remaining(0)):
                work = await self._pools.decode.run_to_end(self._read_json, body, account, network, form)
        else:
            async with self._json_turns.one(account.name, remaining(0)):
                work = await self._read_large_json(body, account, network, remaining, form)
        network.usage.note(work.split_point)
        return network, work

    async def aside(
        self, account: Account, timeout_s: float, work: Callable[[], _Result], *, charges: bool = False
    ) -> _Result:
        """Do what an answer takes, where that is too much for the event loop, in turn and charged as decoding is. Raises DeadlineError.

        `charges`: the work charges `account` itself.
        """

        def charged() -> _Result:
            with account.computing():
                return work()

        async with self.turns.one(account.name, timeout_s):
            return await self._pools.decode.run_to_end(work if charges else charged)

    async def _read_large_json(
        self, body: Body, account: Account, network: LoadedNetwork, remaining: Remaining, form: str
    ) -> Work:
        start_s, cpu_s = time.monotonic(), None
        try:
            tensors = await self.json_process.read(
                body.pieces, network.shapes(), network.default.name, self._max_tensors, remaining(0), form
            )
            cpu_s = tensors.cpu_s
            self._cpu.labels(stage="decode").inc(cpu_s)
        finally:  # what was refused, or was not read in time, took as long as it took
            account.spend(time.monotonic() - start_s if cpu_s is None else cpu_s)
        return work_of(tensors)

    def read_frame(
        self,
        body: Body | Frame,
        account: Account,
        entry: Entry,
        bind: Callable[[Checked], Checked] | None = None,
    ) -> tuple[LoadedNetwork, Work | Checked]:
        """On a thread. Decodes all but videos, and pictures that have to be resized: those take longer, and tensors must not wait for them. `bind` gives the codecs of its stream."""
        with account.computing(self._cpu, "decode"):
            frame = body if isinstance(body, Frame) else unpack(body.whole())
            entry.note(frame)
            network = self._networks.of("frame", frame.fingerprint, account.name)
            checked = check_frame(frame, network.partition, self._profiles)
            network.usage.note(frame.split_point)
            checked = bind(checked) if bind else checked
            late = is_video(checked) or is_to_resize(checked, network.model)
            return network, checked if late else decode_frame(checked, network.model)

    def _decode_picture(
        self,
        checked: Checked,
        account: Account,
        network: LoadedNetwork,
        remaining: Remaining,
        picture: NDArray[Any] | None,
    ) -> Work:
        """`picture` where it is decoded already."""
        if not remaining(checked.frame.deadline_ms):  # its turn came too late
            raise DeadlineError("the deadline passed before the picture was decoded")
        with account.computing(self._cpu, "decode"):
            if picture is None:
                return decode_frame(checked, network.model)
            return work_with(checked, network.model, (picture,))

    def _read_file(self, file: Callable[[], Bytes], account: Account) -> PictureFile:
        with account.computing(self._cpu, "decode"):
            return read_file(file())

    def _decode_file(
        self, file: PictureFile, account: Account, network: LoadedNetwork, remaining: Remaining
    ) -> Work:
        if not remaining(0):  # its turn came too late
            raise DeadlineError("the deadline passed before the picture was decoded")
        with account.computing(self._cpu, "decode"):
            return decode_picture(file, network.model)

    def _read_json(self, body: Body, account: Account, network: LoadedNetwork, form: str) -> Work:
        with account.computing(self._cpu, "decode"):
            name, shapes = network.default.name, network.shapes()
            return read_json(body.whole(), shapes, name, self._max_tensors, FORMS[form])
