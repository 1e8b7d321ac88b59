"""Takes another network while frames flow: waits for one, brings it, has it loaded and put into force."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from shared.errors import SplitDNNError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from edge.metrics import EdgeMetrics
    from edge.network.origins import Origin
    from edge.network.switch import Switch

_log = logging.getLogger(__name__)

REST_S = 5.0
"""After a network was taken, until the next one may be: a cloud that changes its mind all the time costs no more than this."""
PAUSE_S = 5.0
"""After the first failure; it doubles with each that follows."""
LONGEST_PAUSE_S = 300.0


async def watch(
    origin: Origin,
    switch: Switch,
    metrics: EdgeMetrics,
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
) -> None:
    """Run until cancelled. A network that cannot be had, or loaded, costs a line in the log; the one in force goes on."""
    pause_s = PAUSE_S
    while True:
        wanted = await origin.changed(switch.editions.any)
        try:
            await switch.take(await origin.bring(wanted))
        except Exception as error:  # noqa: BLE001 - whatever it is, frames go on
            metrics.network_changes.labels(result="failed").inc()
            _log.warning(
                "cannot take the network %s: %s; going on with %s, next try in %.0f s",
                wanted[:16], error or type(error).__name__, switch.editions.any.model.fingerprint.hex(), pause_s,
                exc_info=not isinstance(error, SplitDNNError),
            )  # fmt: skip
            await sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
        else:
            metrics.network_changes.labels(result="taken").inc()
            pause_s = PAUSE_S
            await sleep(REST_S)
