"""Copies of frames have a claim on the data budget of their own, and without one none is sent."""

import pytest
from kits.several_clouds import with_fleet

from shared.errors import UplinkError


@pytest.mark.parametrize("left", [True, False])
def test_copies_claim_their_bytes(left):
    async def check(fleet):
        fleet.metrics.wire.limit(10_000_000)
        budget, claimed = fleet.metrics.wire.budget, []
        if not left:
            budget.spend(9_999_999)
        claim = budget.claim
        budget.claim = lambda size: claimed.append(size) or claim(size)
        dying, line = fleet.each[0], fleet.lines[0]
        dying.fails, line.away = UplinkError("unreachable", "refused"), True
        said = await fleet.load(3, 60)
        _answered, failed, resent, tried = fleet.outcomes(0)
        assert (failed, resent) == ((0, 3) if left else (3, 0))
        assert said.count("unreachable") == failed
        dying.fails, line.away = None, False
        await fleet.load(20, 60)
        tried = fleet.outcomes(0)[3]
        assert tried == left
        assert len(claimed) >= 4
        assert budget._claimed == 0

    with_fleet(check)
