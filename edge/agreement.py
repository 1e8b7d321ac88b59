"""Both sides must run the same weights; where the user leaves the choice open, the cloud has it."""

from __future__ import annotations

import http.client
import json
import logging
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

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
    if settings.weights != "auto":
        return settings.weights, settings.seed
    try:
        with urllib.request.urlopen(f"{settings.cloud_url}/model", timeout=_TIMEOUT_S) as response:  # noqa: S310
            there = json.loads(response.read(_MAX_BYTES))
        kind, _, seed = str(there["weights"]).partition(":")
        if there["model"] != settings.model or kind == "file":
            return settings.weights, settings.seed
        chosen = (kind, int(seed) if kind == "random" else settings.seed)
    except (urllib.error.URLError, http.client.HTTPException, OSError, ValueError, KeyError, TypeError):
        return settings.weights, settings.seed  # nobody to agree with: decide alone
    if kind == "random":
        _log.warning(
            "weights=auto: the cloud runs seeded random weights (%s), so this edge does too", there["weights"]
        )
    return chosen
