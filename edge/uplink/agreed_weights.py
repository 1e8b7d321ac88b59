"""Both sides must run the same weights; if the user leaves the choice open, the cloud makes it."""

from __future__ import annotations

import http.client
import json
import logging
import re
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

from shared.limits import MAX_REPLY_BYTES

if TYPE_CHECKING:
    import ssl

_log = logging.getLogger(__name__)

_TIMEOUT_S = 2.0
_NAME = re.compile(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)*_V[0-9]+")
"""How torchvision names weights: `IMAGENET1K_V1`, `IMAGENET1K_SWAG_E2E_V1`. No path to anything looks like this by accident."""


def agreed_weights(
    cloud_url: str, model: str, weights: str, seed: int, tls: ssl.SSLContext | None = None
) -> tuple[str, int]:
    """The weights to load, and their seed. `tls`: what an https cloud is checked with, by default the system's CAs.

    `auto` may give pretrained or random weights, on each side independently. So an edge with `auto` takes what the cloud
    already runs, if the cloud can be asked and runs the same architecture; the fingerprints are still compared. Any
    other choice is returned unchanged.
    """
    alone = weights, seed
    if weights != "auto":
        return alone
    direct = urllib.request.build_opener(
        urllib.request.ProxyHandler({}),  # no proxy, as the uplink uses none
        urllib.request.HTTPSHandler(context=tls),
    )
    try:
        with direct.open(f"{cloud_url}/model", timeout=_TIMEOUT_S) as response:
            said = json.loads(response.read(MAX_REPLY_BYTES))
        kind, _, digits = str(said["weights"]).partition(":")
        if said["model"] != model:
            return alone
        if kind != "random":
            # Never a path: the cloud must not decide which files are read on this machine.
            return (kind, seed) if _NAME.fullmatch(kind) and not digits and not Path(kind).exists() else alone
        agreed = int(digits)
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError, RecursionError):
        return alone  # no cloud to agree with
    if not 0 <= agreed < 2**63:
        return alone
    _log.warning("weights=auto: the cloud runs random weights (%s), so this edge does too", said["weights"])
    return kind, agreed
