"""Several clouds, as the edge's one way out: connections, circuits and what is known of each, for as long as the edge runs."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from functools import partial
from typing import TYPE_CHECKING, Any, Self

from edge.uplink.clouds.agreed import Agreed
from edge.uplink.clouds.choosing.budget import Budget
from edge.uplink.clouds.joint_circuit import JointCircuit
from edge.uplink.clouds.member import Member
from edge.uplink.clouds.metrics import OfCloud
from edge.uplink.clouds.typical import Typical
from shared.errors import MismatchError, UplinkError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from edge.metrics import EdgeMetrics
    from edge.uplink.circuit import State
    from edge.uplink.client import CloudClient
    from edge.uplink.line import Line
    from shared.security.tls.renewal import RenewedContext

_log = logging.getLogger(__name__)

_SOON_S = 1.0


class Clouds:
    """Takes the place of a `Line` where there are several clouds. Open while the edge runs; used from the event loop only."""

    def __init__(
        self,
        lines: Sequence[Line],
        metrics: EdgeMetrics,
        *,
        in_flight: int,
        tls: RenewedContext | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`lines`, at least two, in the order in which the user has named them; `tls` is what they check the clouds with."""
        self.members = [Member(line, OfCloud(metrics.clouds, line.name), clock) for line in lines]
        self.circuit = JointCircuit(self.members, metrics.circuit_state)
        self.heard = Agreed(self.members)
        self.link = Typical(self.members)
        self.budget = Budget(in_flight)
        self.wire = metrics.wire
        self.clock = clock
        self.url = ",".join(line.url for line in lines)
        self._tls = tls
        self._none = False
        """Whether no cloud is asked."""
        for member in self.members:
            member.line.circuit.on_change = partial(self._changed, member)
            member.on_change = self._look

    async def __aenter__(self) -> Self:
        self._ends = contextlib.AsyncExitStack()
        for member in self.members:
            await self._ends.enter_async_context(member.line)
        if self._tls:
            self._ends.callback(asyncio.create_task(self._tls.watch()).cancel)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._ends.aclose()

    async def ask_model(self) -> dict[str, Any]:
        """The answer to `GET /model` of a cloud that runs the network that most of them run; all are asked.

        Raises UplinkError if none is there, MismatchError if all that answer are no SplitDNN clouds.
        """
        answers = await _soon([member.line.ask_model() for member in self.members])
        asked = zip(self.members, answers, strict=True)
        found = {member.line.url: said for member, said in asked if isinstance(said, dict)}
        agreed = self.heard.fingerprint
        if found:
            return found.get(self.client_for(agreed or "").url, next(iter(found.values())))
        for kind in (UplinkError, MismatchError, BaseException):
            for problem in answers:
                if isinstance(problem, kind):
                    raise problem
        raise AssertionError

    def client_for(self, fingerprint: str) -> CloudClient:
        """The client of a cloud that is there and runs this network, and gives it to edges, if there is one; else as good a one as there is."""

        def merits(member: Member) -> tuple[bool, bool, bool]:
            line = member.line
            return member.was_heard, line.heard.fingerprint == fingerprint, line.gives_bundle

        return max(self.members, key=merits).line.client  # the first of those that are as good

    def said(self) -> list[dict[str, Any]]:
        """For people: what is known of each cloud, nothing secret."""
        return [member.said() for member in self.members]

    def _changed(self, member: Member, before: State, now: State) -> None:
        member.changed(before, now)
        self._look()

    def _look(self) -> None:
        """A cloud can be asked, or none can any more."""
        self.circuit.look()
        if self.circuit.is_open and not self._none:
            _log.warning("no cloud is left to ask; the edge answers by itself")
        self._none = self.circuit.is_open


async def _soon(
    questions: Sequence[Coroutine[Any, Any, dict[str, Any]]],
) -> list[dict[str, Any] | BaseException]:
    """Each one's answer, or why there is none. Once one has answered, the others have had _SOON_S in all: a cloud that hangs holds up nobody."""
    tasks = [asyncio.create_task(each) for each in questions]
    try:
        _, pending = await asyncio.wait(tasks, timeout=_SOON_S)
        while pending and not any(task.done() and not task.exception() for task in tasks):
            _, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        answers = await asyncio.gather(*tasks, return_exceptions=True)
    late = UplinkError("late", "others answered first")
    return [late if isinstance(each, asyncio.CancelledError) else each for each in answers]
