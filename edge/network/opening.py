"""Finds out, at the start, where this edge's network comes from, and gets it from the cloud if it is to come from there."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from edge.network.cloud_bundles import PATIENCE_S, CloudBundles
from edge.network.origins import Fixed, FromCloud, FromFolder
from shared.errors import SettingsError
from shared.network.choice import CLOUD
from shared.network.find import bundle_folder
from shared.network.making.store import BundleStore

if TYPE_CHECKING:
    import contextlib

    from edge.config import EdgeSettings
    from edge.metrics import EdgeMetrics
    from edge.network.origins import Origin
    from edge.uplink.clouds.clouds import Clouds
    from edge.uplink.line import Line


async def open_origin(
    settings: EdgeSettings,
    line: Line | Clouds,
    metrics: EdgeMetrics,
    ends: contextlib.AsyncExitStack,
    *,
    patience_s: float = PATIENCE_S,
) -> tuple[Origin, str]:
    """The origin, and what `load_network` is to be given as its model. Raises SettingsError, FetchError or MismatchError.

    `line` must be open; `ends` closes what this opens. `patience_s`: seconds for a cloud that is not there yet.
    """
    if settings.model != CLOUD:
        folder = bundle_folder(settings.model)
        origin = FromFolder(folder, line.heard) if folder else Fixed(line.heard)
        return origin, settings.model
    require_no_network_of_its_own(settings)
    store = await asyncio.to_thread(BundleStore, settings.cache_dir)
    ends.callback(store.close)
    bundles = CloudBundles(line, store, settings.cache_dir, metrics.bundle_fetches)
    return FromCloud(bundles, line), str(await bundles.first(patience_s))


def require_no_network_of_its_own(settings: EdgeSettings) -> None:
    """Raise SettingsError for settings that would change the cloud's network, which the edge takes as it is."""
    for name, given in {
        "weights": settings.weights != "auto",
        "recipe": bool(settings.recipe),
        "task": bool(settings.task),
    }.items():
        if given:
            raise SettingsError(
                f"--{name} {getattr(settings, name)}: with --model {CLOUD} the network is the cloud's as it is; leave --{name} unset "
                "here, and give it to the cloud or to `splitdnn bundle`"
            )
