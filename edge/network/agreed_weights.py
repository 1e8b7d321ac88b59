"""Both sides must run the same weights; if the user leaves the choice open, the cloud makes it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge.uplink.clouds.addresses import urls_of
from shared.errors import UplinkError
from shared.observing.counting.counter import Counter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.security.tls.context import FixedContext
    from shared.security.tokens.bearer import Bearer

_log = logging.getLogger(__name__)

_TIMEOUT_S = 2.0
_NAME = re.compile(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)*_V[0-9]+")
"""How torchvision names weights: `IMAGENET1K_V1`, `IMAGENET1K_SWAG_E2E_V1`. No path to anything looks like this by accident."""


def agreed_weights(
    cloud_url: str,
    model: str,
    weights: str,
    seed: int,
    bearer: Bearer | None = None,
    tls: FixedContext | None = None,
    proxy: str | None = None,
) -> tuple[str, int]:
    """The weights to load, and their seed. `tls`: what an https cloud is checked with, by default the system's CAs.

    `auto` may give pretrained or random weights, on each side independently. So an edge with `auto` takes what the cloud
    already runs, if the cloud can be asked and runs the same architecture; the fingerprints are still compared. Any
    other choice is returned unchanged. Of several clouds, the first that says what it runs counts. `bearer` has the token that a cloud is shown. `proxy`: the URL of one
    to go through. Not to be called where an event loop runs.
    """
    alone = weights, seed
    if weights != "auto":
        return alone
    try:
        said = asyncio.run(_ask_first(urls_of(cloud_url), bearer, tls, proxy))
        kind, _, digits = str(said["weights"]).partition(":")
        if said["model"] != model:
            return alone
        if kind != "random":
            # Never a path: the cloud must not decide which files are read on this machine.
            return (kind, seed) if _NAME.fullmatch(kind) and not digits and not Path(kind).exists() else alone
        agreed = int(digits)
    except (UplinkError, ValueError, KeyError):
        return alone  # no cloud to agree with
    if not 0 <= agreed < 2**63:
        return alone
    _log.warning("weights=auto: the cloud runs random weights (random:%d), so this edge does too", agreed)
    return kind, agreed


async def _ask_first(
    cloud_urls: Sequence[str], bearer: Bearer | None, tls: FixedContext | None, proxy: str | None
) -> dict[str, Any]:
    """What the first of them says that says anything. Raises UplinkError."""
    for url in cloud_urls[:-1]:
        with contextlib.suppress(UplinkError):
            if said := await _ask(url, bearer, tls if url.startswith("https:") else None, proxy):
                return said
    return await _ask(cloud_urls[-1], bearer, tls, proxy)


async def _ask(
    cloud_url: str, bearer: Bearer | None, tls: FixedContext | None, proxy: str | None
) -> dict[str, Any]:
    """The answer to `GET /model`, by the way that frames take: no redirection. Raises UplinkError."""
    # Takes as long to import as a small bundle takes to read, and whoever has a bundle asks nobody.
    from edge.uplink.client import CloudClient, parse_json  # noqa: PLC0415

    client = CloudClient(
        cloud_url,
        Counter("splitdnn_sent", "Bytes", registry=None),
        connections=1,
        bearer=bearer,
        tls=tls,
        proxy=proxy,
    )
    client.open()
    try:
        status, body = await client.request("GET", "/model", _TIMEOUT_S)
    finally:
        await client.close()
    return parse_json(body) if status == 200 else {}
