"""Answers to `GET /model` that are there to end a start, or to break what reads them."""

from __future__ import annotations

import pytest
from kits.uplink import with_cloud

from shared.errors import MismatchError, UplinkError


def test_a_cloud_that_is_asked_too_often_costs_no_start():
    """429 is for a client that asks too often, 408 for a slow one, 407 a proxy's: none says that no cloud is there."""

    async def check(cloud, uplink):
        for status, reason in ((429, "busy"), (408, "late"), (407, "unauthorized")):
            cloud.model = (status, {"error": "not now", "reason": "over_quota"})
            await uplink.check()
            assert uplink.circuit.is_open
            with pytest.raises(UplinkError) as caught:
                await uplink.greet()
            assert caught.value.reason == reason, status

    with_cloud(check)


def test_what_is_deep_is_named_where_it_is_read_and_where_it_is_told():
    """A thread reads long answers, at another depth of the stack than the event loop's."""

    async def check(cloud, uplink):
        for depth in range(900, 1000, 2):
            deep = b"[" * depth + b"]" * depth
            padding = b" " * (70 << 10)
            cloud.model = (200, b'{"fingerprint":"00","model":' + deep + padding + b"}")
            with pytest.raises(MismatchError):
                await uplink.greet()

    with_cloud(check)
