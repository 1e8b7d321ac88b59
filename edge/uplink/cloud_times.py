"""How long the cloud's tails take, as its `GET /profile` says."""

from __future__ import annotations

import asyncio
import logging
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edge.uplink.reply import UplinkError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CloudTimes:
    """Seconds of one run of the tail."""

    alone_s: Mapping[str, float]
    """For one frame, by split point."""
    by_batch_s: Mapping[int, Mapping[str, float]]
    """For so many frames together."""

    def batched_s(self, frames: int) -> Mapping[str, float]:
        """For one of so many frames that come at the same time."""
        sizes = [size for size in self.by_batch_s if size <= frames]
        if not sizes:
            return self.alone_s
        size = max(sizes)
        return {name: seconds / size for name, seconds in self.by_batch_s[size].items()}


def parse_cloud_times(there: dict[str, Any], fingerprint: bytes) -> CloudTimes | None:
    """From the answer to `GET /profile`; None if it is of another network, or makes no sense."""
    try:
        if there["fingerprint"] != fingerprint.hex():
            return None
        sizes = [int(size) for size in there["batch_sizes"]]
        rows = {str(name): [_seconds(ms) for ms in row] for name, row in there["tails_ms"].items()}
        by_batch = {
            size: {name: row[place] for name, row in rows.items()} for place, size in enumerate(sizes)
        }
        return CloudTimes(by_batch[1], by_batch)
    except (AttributeError, IndexError, KeyError, OverflowError, TypeError, ValueError):
        return None


class Asking:
    """Asks for the times while frames go on: who asks first waits until they are measured."""

    def __init__(
        self, ask: Callable[[], Awaitable[CloudTimes | None]], take: Callable[[CloudTimes], object]
    ) -> None:
        """`ask` raises UplinkError; `take` gets each answer."""
        self._ask = ask
        self._take = take
        self._task: asyncio.Task[None] | None = None
        self._closed = False

    def again(self) -> None:
        """The cloud is there, perhaps another one than before."""
        if not self._closed and (self._task is None or self._task.done()):
            self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        """Do not wait any more."""
        self._closed = True
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        try:
            times = await self._ask()
        except UplinkError as error:
            _log.info(
                "the cloud does not say how fast it is (%s); its speed is taken from its answers", error
            )
            return
        if times:
            self._take(times)
            return
        _log.info("the cloud does not say how fast it is; its speed is taken from its answers")


def _seconds(milliseconds: float) -> float:
    if not 0 <= milliseconds < math.inf:
        raise ValueError
    return float(milliseconds) / 1e3
