"""What a session's frames tell of the link where it is the cloud that all wait for: they come back together, and most do not say why."""

import random
from types import SimpleNamespace

import pytest

from edge.uplink.link import Link
from edge.uplink.session.carrying.estimate import Estimate

TAIL_S = 0.02


def play(rate, delay, *, count=400, in_flight=4, seed=0):
    """`in_flight` frames at once, each as soon as another is answered; the cloud takes all that wait for it together, and says how long every 8th took."""
    generator, now = random.Random(seed), SimpleNamespace(time=delay)
    link = Link(lambda: now.time)
    estimate = Estimate(link, lambda: now.time)
    now.time = link_free = delay + 40 / rate
    estimate.probed(0.0, 40)
    cloud_free, number, arrivals, found = 0.0, 0, [], []
    while number < count or arrivals:
        while number < count and len(arrivals) < in_flight:
            size = generator.randrange(12_000, 26_000)
            estimate.sent(number, size)
            link_free = max(link_free, now.time) + size / rate
            arrivals.append((link_free + delay / 2, number))
            number += 1
        start = max(cloud_free, arrivals[0][0])
        batch = [each for each in arrivals if each[0] <= start]
        cloud_free = start + TAIL_S * len(batch)
        now.time = cloud_free + delay / 2
        for came, which in batch:
            estimate.answered(which, cloud_free - came if which < 8 or which % 8 == 0 else None)
        arrivals = arrivals[len(batch) :]
        found.append(link.state.bytes_per_s / rate)
    return found


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("rate", [1.25e6, 2.5e6])
def test_the_link_is_not_taken_for_many_times_as_fast(rate, seed):
    """20 Mbit/s were taken for 150, and frames of 140 kB for the best there are."""
    found = sorted(play(rate, 0.02, seed=seed)[20:])
    assert 0.4 < found[len(found) // 2] < 1.6
    assert found[int(0.95 * len(found))] < 2.5
