"""Both sides must run the same weights; where the user leaves the choice open, the cloud has it."""

from __future__ import annotations

import http.client
import json
import logging
import urllib.request
from typing import TYPE_CHECKING

from shared.network.vision import get_model_weights

if TYPE_CHECKING:
    from edge.config import EdgeSettings

_log = logging.getLogger(__name__)

_TIMEOUT_S = 2.0
_MAX_BYTES = 1 << 20


def agreed_weights(settings: EdgeSettings) -> tuple[str, int]:
    """Choice and seed of the weights to load.

    `auto` may end in pretrained or in random weights, on each side by itself. So an edge with `auto` takes what the
    cloud already runs, if it is there to be asked and runs the same architecture; the fingerprints are compared all the
    same. Any other setting is taken as it is.
    """
    alone = settings.weights, settings.seed
    if settings.weights != "auto":
        return alone
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # no proxy, as the uplink uses none
    try:
        with direct.open(f"{settings.cloud_url}/model", timeout=_TIMEOUT_S) as response:
            there = json.loads(response.read(_MAX_BYTES))
        kind, _, seed = str(there["weights"]).partition(":")
        if there["model"] != settings.model:
            return alone
        if kind != "random":
            # Never a path: what is read here is not for the other side to say.
            return (kind, settings.seed) if kind in get_model_weights(settings.model).__members__ else alone
        agreed = int(seed)
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError, RecursionError):
        return alone  # nobody to agree with
    if not 0 <= agreed < 2**63:
        return alone
    _log.warning(
        "weights=auto: the cloud runs seeded random weights (%s), so this edge does too", there["weights"]
    )
    return kind, agreed
