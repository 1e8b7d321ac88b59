"""The id of a running cloud, which every answer of it carries: behind a balancer it tells which of several has answered, or none.

It is made at each start. The workers of one cloud share it, as they share profiles and bundles.
"""

from __future__ import annotations

import re
import secrets

CLOUD_HEADER = "SplitDNN-Cloud"
"""A header field: in every answer it says whose that is; in a request, for which cloud it is meant, where a balancer can see to that."""
_BYTES = 8
_ID = re.compile(f"[0-9a-f]{{{2 * _BYTES}}}", re.ASCII)


def new_cloud_id() -> str:
    """16 hexadecimal digits, which no other start of any cloud has."""
    return secrets.token_hex(_BYTES)


def cloud_id_in(value: object) -> str | None:
    """The id that this is; None for anything else, as no id, or one that somebody made up."""
    return value if isinstance(value, str) and _ID.fullmatch(value) else None
