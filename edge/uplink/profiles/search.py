"""Where an upload would go: behind a balancer it is not the cloud that lacks the profile whom the next request reaches."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.uplink.profiles.sending import has
from shared.errors import UplinkError

if TYPE_CHECKING:
    from edge.uplink.client import CloudClient
    from edge.uplink.profiles.holders import Holders
    from shared.observing.counting.counter import Counter

_ROUNDS = 3
_MOST_QUESTIONS = 24
"""Each is a round trip and two hundred bytes, a profile hundreds of thousands."""
_IN_A_ROW = 2
"""So many questions for one cloud that it answers itself: the balancer heeds the header. By turns it would not come twice."""


async def find_taker(
    client: CloudClient, name: str, holders: Holders, cloud: str, patience_s: float, questions: Counter
) -> bool:
    """Ask the clouds whether they have the profile until the next request would reach one that lacks it; false if `cloud` has it now.

    Each question takes a turn, and is meant for `cloud`. If a balancer neither heeds that nor goes by turns, nothing is known of where the
    next request goes, and it may go there.
    """
    clouds = client.clouds
    in_a_row = 0
    for _ in range(min(_ROUNDS * len(clouds.known()) + 1, _MOST_QUESTIONS)):
        questions.inc()
        try:
            asked, there = await has(client, name, patience_s, cloud)
        except UplinkError:  # whatever it is, the upload's answer says more
            if not clouds.are_several():
                return True
            in_a_row = 0
            continue
        holders.note(asked, there=there)
        if holders.has(cloud):
            return False  # another edge has brought it, or another cloud
        if not clouds.are_several() or not holders.are_there():
            return True  # whoever gets it lacks it
        in_a_row = in_a_row + 1 if asked == cloud else 0
        expected = clouds.expected()
        if in_a_row == _IN_A_ROW or (expected is not None and not holders.has(expected)):
            return True
    return True
