"""From a request's complete body to the work that it asks for, off the event loop."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloud.bodies.frames import Checked, Work, check_frame, decode_frame, is_to_resize, read_json, work_of
from cloud.bodies.json_process import JsonProcess
from shared.errors import DeadlineError
from shared.observing.telemetry import computing
from shared.wire.frame import unpack

if TYPE_CHECKING:
    from collections.abc import Callable

    from cloud.access.ledger import Entry
    from cloud.bodies.body import Body
    from cloud.metrics import CloudMetrics
    from cloud.networks.network import LoadedNetwork
    from cloud.networks.networks import Networks
    from cloud.profiles import Profiles
    from cloud.threads import ThreadPools

    Remaining = Callable[[int], float]
    """Seconds that are left to a frame whose deadline is so many milliseconds; 0 is the server's own deadline."""

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
        *,
        max_tensors: int,
    ) -> None:
        """`max_tensors` is how many tensors one JSON body may bring."""
        self.json_process = JsonProcess()
        self._networks = networks
        self._profiles = profiles
        self._pools = pools
        self._cpu = metrics.step_cpu
        self._max_tensors = max_tensors

    async def stop(self) -> None:
        """End the process that reads JSON."""
        await self.json_process.stop()

    async def frame(self, body: Body, entry: Entry, remaining: Remaining) -> tuple[LoadedNetwork, Work]:
        """The work of one binary frame, which is noted in `entry` once it is known, and the network that it is for.

        Raises RequestError.
        """
        network, work = await self._pools.decode.run(self._read_frame, body, entry)
        if isinstance(work, Checked):
            work = await self._pools.pictures.run(self._decode_picture, work, network, remaining)
        return network, work

    async def json(self, body: Body, remaining: Remaining) -> tuple[LoadedNetwork, Work]:
        """The work of a JSON body, which is for the current network. Raises RequestError."""
        network = self._networks.current
        if body.size <= _LARGE_JSON_BYTES:
            work = await self._pools.decode.run(self._read_json, body, network)
        else:
            tensors = await self.json_process.read(
                body.pieces, network.shapes(), network.default.name, self._max_tensors, remaining(0)
            )
            self._cpu.labels(stage="decode").inc(tensors.cpu_s)
            work = work_of(tensors)
        network.usage.note(work.split_point)
        return network, work

    def _read_frame(self, body: Body, entry: Entry) -> tuple[LoadedNetwork, Work | Checked]:
        """Decodes all but pictures that have to be resized: those take longer, and tensors must not wait for them."""
        with computing(self._cpu, "decode"):
            frame = unpack(body.whole())
            entry.note(frame)
            network = self._networks.of("frame", frame.fingerprint)
            checked = check_frame(frame, network.partition, self._profiles)
            network.usage.note(frame.split_point)
            late = is_to_resize(checked, network.model)
            return network, checked if late else decode_frame(checked, network.model)

    def _decode_picture(self, checked: Checked, network: LoadedNetwork, remaining: Remaining) -> Work:
        if not remaining(checked.frame.deadline_ms):  # its turn came too late
            raise DeadlineError("the deadline passed before the picture was decoded")
        with computing(self._cpu, "decode"):
            return decode_frame(checked, network.model)

    def _read_json(self, body: Body, network: LoadedNetwork) -> Work:
        with computing(self._cpu, "decode"):
            return read_json(body.whole(), network.shapes(), network.default.name, self._max_tensors)
