"""Which frame to send only to measure the link, and how often."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from edge.planning.planner import choose
from edge.uplink.link import LARGER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge.planning.costs.conditions import Conditions
    from edge.planning.costs.option import Option
    from edge.planning.planner import Objective

_SHARE_OF_LINK = 0.25
"""The largest share of the time for which such frames may occupy the link."""
_SHARE_OF_BUDGET = 0.05
"""The largest share of the data budget that they may take."""
_LEAST_BYTES = 1000.0
"""In a session a frame tells of the link if it is no smaller than this, and `LARGER` times as large as those that are sent anyhow."""


def scout(
    options: Sequence[Option],
    now: Conditions,
    objective: Objective,
    in_force: Option,
    *,
    telling_bytes: float,
) -> Option | None:
    """The option with the smallest frame that measures the link; None if the plan in force would be the best on any other link too.

    `telling_bytes`: from which size on a frame does that, as the link knows (edge/uplink/link.py).
    """
    link = replace(now.link, bytes_per_s=math.inf)
    # Frames may also be smaller than is known, and fit into the data budget.
    fast = replace(now, link=link, bytes_per_s=math.inf)
    if choose(options, fast, objective) is in_force:
        return None
    if not now.link.first_bytes:  # of a session, whose frames tell by being of different sizes
        telling_bytes = max(_LEAST_BYTES, LARGER * now.payload_bytes(in_force), telling_bytes)
    sizes = {option: now.first_bytes(option) for option in options if not option.is_local}
    telling = [option for option, size in sizes.items() if size >= telling_bytes] or list(sizes)
    # A stream of one frame makes the cloud begin a decoder for nothing, and look slow for that.
    alone = [option for option in telling if not option.is_inter]
    return min(alone or telling, key=lambda option: sizes[option])


def pause_s(option: Option, now: Conditions) -> float:
    """How long the link is to be left alone before such a frame of this option."""
    size = now.first_bytes(option) + now.frame_overhead_bytes
    of_link_s = size / now.link.bytes_per_s / _SHARE_OF_LINK
    return max(of_link_s, size / max(now.bytes_per_s, 1e-9) / _SHARE_OF_BUDGET)
