"""`--list-split-points`, for the cloud's network as well."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from edge.metrics import EdgeMetrics
from edge.network.opening import open_origin
from edge.uplink.clouds.opening import make_line
from shared.engines import load
from shared.security.tokens.bearer import Bearer

if TYPE_CHECKING:
    from edge.config import EdgeSettings


async def list_split_points(settings: EdgeSettings) -> str:
    """The table for the network that the settings name. Raises StartupError."""
    metrics = EdgeMetrics()
    async with contextlib.AsyncExitStack() as ends:
        bearer = Bearer.of_file(settings.cloud_token_file)
        line = make_line(settings, metrics, in_flight=1, deadline_s=settings.deadline_s, bearer=bearer)
        await ends.enter_async_context(line)
        _, model = await open_origin(settings, line, metrics, ends, patience_s=settings.deadline_s)
        chosen = settings.model_copy(update={"model": model})
        return await asyncio.to_thread(load.list_split_points, chosen)
