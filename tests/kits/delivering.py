"""Events to deliver, and a reader that stands for the spool's. No tests."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from kits.events import event_of

from edge.output.events.delivery.account import Account
from edge.output.events.delivery.backoff import Backoff
from edge.output.events.delivery.metrics import FAILURES, DeliveryMetrics
from edge.output.events.delivery.mqtt import MqttDelivery
from edge.output.events.delivery.targets import targets_of
from edge.output.events.delivery.webhook import WebhookDelivery
from edge.output.events.event import Event, Kind
from edge.output.events.spool import Entry

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable

    from bench.soak.events.broker import Broker
    from bench.soak.events.receiver import Receiver

STEP_S = 20.0
"""The longest that anything here may take in real time."""


def event(number: int, camera: str | None = "door", kind: Kind = Kind.CLASS_CHANGED, **data: Any) -> Event:
    """One that a frame is the cause of."""
    made = event_of(number, camera, kind, **(data or {"to": "cat"}))
    return replace(made, frame=number, frame_id=f"{number:016x}")


class FakeReader:
    """In memory, with the promises of the spool's."""

    target = "fake"

    def __init__(self, events: Iterable[Event] = ()) -> None:
        self.confirmed: list[str] = []
        self.refused: list[str] = []
        self._left = [Entry(position, each) for position, each in enumerate(events, 1)]
        self._out: dict[int, Entry] = {}
        self._position = len(self._left)
        self._wake = asyncio.Event()

    @property
    def waiting(self) -> int:
        return len(self._left) + len(self._out)

    def add(self, *events: Event) -> None:
        for each in events:
            self._position += 1
            self._left.append(Entry(self._position, each))
        self._wake.set()

    async def next(self) -> Entry:
        while not self._left:
            self._wake.clear()
            await self._wake.wait()
        entry = self._left.pop(0)
        self._out[entry.position] = entry
        return entry

    def done(self, position: int) -> None:
        self.confirmed.append(self._out.pop(position).event.id)

    def give_up(self, position: int, reason: str = "refused") -> None:
        assert reason == "refused"
        self.refused.append(self._out.pop(position).event.id)

    def again(self) -> None:
        self._left = sorted([*self._out.values(), *self._left], key=lambda entry: entry.position)
        self._out.clear()


def account() -> Account:
    return Account("fake", DeliveryMetrics("splitdnn_edge_", None))


def failures(of: Account) -> dict[str, float]:
    """Each reason that was counted."""
    counts = {each: of._failures.labels(target="fake", reason=each).value() for each in FAILURES}
    return {each: count for each, count in counts.items() if count}


async def until(condition: Callable[[], object], what: str = "it") -> None:
    """Wait in real time. Fails the test after STEP_S."""
    try:
        async with asyncio.timeout(STEP_S):
            while not condition():
                await asyncio.sleep(0.002)
    except TimeoutError:
        raise AssertionError(f"{what} did not happen within {STEP_S:g} s") from None


class Impatient(Backoff):
    def next_s(self) -> float:
        return min(0.01, super().next_s())


@contextlib.asynccontextmanager
async def to_broker(
    broker: Broker, reader: FakeReader, url: str = "", **options: Any
) -> AsyncIterator[MqttDelivery]:
    (target,) = targets_of(url or f"mqtt://127.0.0.1:{broker.port}/home/edge1")
    options = {"account": account(), "backoff": Impatient()} | options
    delivery = MqttDelivery(target, reader, **options)
    async with running(delivery):
        yield delivery
    await broker.stop()


@contextlib.asynccontextmanager
async def to_receiver(
    receiver: Receiver, reader: FakeReader, url: str = "", **options: Any
) -> AsyncIterator[WebhookDelivery]:
    (target,) = targets_of(url or f"http://127.0.0.1:{receiver.port}/hook?x=1")
    options = {"account": account(), "backoff": Impatient, "secrets": Fixed((receiver.key,))} | options
    delivery = WebhookDelivery(target, reader, **options)
    async with running(delivery):
        yield delivery
    await receiver.stop()


@contextlib.asynccontextmanager
async def running(delivery: MqttDelivery | WebhookDelivery) -> AsyncIterator[None]:
    task = asyncio.create_task(delivery.run())
    try:
        yield
        assert not task.done() or task.cancelled(), task
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


@dataclass
class Fixed:
    """In place of a file."""

    value: Any

    async def latest(self) -> Any:
        return self.value
