"""Files that are being sent: few at once, and fewer to one client."""

from __future__ import annotations

import contextlib

import pytest

from cloud.access.refusals import TransfersError
from cloud.networks.transfers import MAX_TRANSFERS_A_CLIENT, Transfers


def test_places_are_bounded_for_all_and_for_each_and_given_back() -> None:
    transfers = Transfers()
    with contextlib.ExitStack() as held:
        for client in ("a", "a", "b", "c"):
            held.enter_context(transfers.one(client))
        for client in ("a", "d"):
            with pytest.raises(TransfersError), transfers.one(client):
                pytest.fail("there is no place")
    with contextlib.ExitStack() as held:
        for _ in range(MAX_TRANSFERS_A_CLIENT):
            held.enter_context(transfers.one("a"))
        with pytest.raises(TransfersError), transfers.one("a"):
            pytest.fail("there is no place")
        with transfers.one("b"):
            pass
    assert not len(transfers._places)
