"""What has changed is brought and taken; what cannot be had is said, counted and tried again, ever less often."""

from __future__ import annotations

import asyncio

from kits.edge import value
from kits.switching import A, B, with_edge

from edge.network.watch import LONGEST_PAUSE_S, PAUSE_S, REST_S, watch
from shared.errors import FetchError


class Scripted:
    """Wants one network after another; an exception is what bringing it raises. Ends the watch after the last one."""

    def __init__(self, *networks):
        self.networks = list(networks)
        self.naps = []
        self.done = asyncio.Event()
        self.seen = []

    async def changed(self, current):
        self.seen.append(current.model)
        if not self.networks:
            self.done.set()
            await asyncio.Event().wait()
        return str(self.networks[0])

    async def bring(self, wanted):
        network = self.networks.pop(0)
        if isinstance(network, Exception):
            raise network
        return network

    async def sleep(self, seconds):
        self.naps.append(seconds)


async def played(edge, *networks):
    """The script, after it was played."""
    origin = Scripted(*networks)
    watching = asyncio.create_task(watch(origin, edge.switch, edge.metrics, sleep=origin.sleep))
    await asyncio.wait_for(origin.done.wait(), 60)
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    return origin


def counted(edge):
    return [value(edge.metrics, "network_changes_total", result=result) for result in ("taken", "failed")]


def test_what_has_changed_is_taken():
    async def check(edge):
        await edge.switch.open("A")
        edge.cloud.serves = [A, B]
        origin = await played(edge, "B", "A")
        assert origin.seen == [A, B, A]
        assert origin.naps == [REST_S] * 2, (
            "a cloud that changes its mind all the time costs no more than that"
        )
        assert counted(edge) == [2, 0]

    with_edge(check)


def test_what_cannot_be_had_is_said_and_tried_again_ever_less_often(caplog):
    async def check(edge):
        await edge.switch.open("A")
        edge.cloud.serves = [A, B]
        away, bug = FetchError("cut", "the cable is out"), ZeroDivisionError("a bug")
        origin = await played(edge, away, "X", bug, *[away] * 6, "B", away)
        assert origin.naps == [PAUSE_S * factor for factor in (1, 2, 4, 8, 16, 32)] + [
            LONGEST_PAUSE_S
        ] * 3 + [REST_S, PAUSE_S]
        assert origin.seen[-1] is B
        assert counted(edge) == [1, 10]

    with_edge(check)
    lines = [line for line in caplog.records if "cannot take the network" in line.getMessage()]
    assert len(lines) == 10
    assert "the cable is out; going on with 6161616161616161, next try in 5 s" in lines[0].getMessage()
    assert "no network X" in lines[1].getMessage()
    assert [bool(line.exc_info) for line in lines[:4]] == [False, False, True, False], (
        "a bug leaves its traceback"
    )
