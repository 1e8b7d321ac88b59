"""The other workers, as one of them sees them: by way of the parent."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from cloud.access.refusals import OverQuotaError
from cloud.workers.channel import GoneError, Message
from cloud.workers.sums import Collected
from shared.errors import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable

    from cloud.workers.channel import Channel
    from shared.engines import Engine
    from shared.security.sessions import Session

_log = logging.getLogger(__name__)

_READING_S = 5.0
_SPREADING_S = 60.0
"""Building a profile takes a second, and others may be built before it."""
_SESSION_S = 5.0
_READY_S = 30.0
_LOADED_S = 60.0
_CHOOSING_S = 50.0
"""Longer than the parent has a worker wait; less than `_LOADED_S`, as others wait for a network that this one loads."""


class _Computing(Protocol):
    @property
    def engine(self) -> Engine: ...


_Network = TypeVar("_Network", bound=_Computing)


class Siblings:
    """What a worker asks of its parent. On the event loop only, but for `computing`."""

    def __init__(self, channel: Channel, cloud: str, alike: tuple[str, str] | None = None) -> None:
        self._channel = channel
        self.cloud = cloud
        """The id of the cloud that all of them are."""
        self.alike = alike
        """Engine and precision in which all workers compute networks that are not int8, as answers must not differ; None: not known."""
        self._loop: asyncio.AbstractEventLoop | None = None

    async def ready(self, engine: str, precision: str, digest: str) -> dict[str, Any]:
        """Say that frames can be taken, of which network, and how; the sessions that browsers have. Raises GoneError."""
        self._loop = asyncio.get_running_loop()  # from now on questions are answered
        self._note(engine, precision)
        said = {"alike": self.alike, "digest": digest}
        answer = await self._channel.ask(Message("ready", said), _READY_S)
        sessions: dict[str, Any] = json.loads(answer.body)
        return sessions

    def computing(self, make: Callable[[tuple[str, str] | None], _Network]) -> _Network:
        """What `make` gives, which is told how the other workers compute. On a thread, which waits here while the first of them chooses.

        Where all workers have begun with an int8 network, nothing says yet how another one is computed.
        """
        loop = self._loop
        if self.alike or loop is None:
            return make(self.alike)
        asyncio.run_coroutine_threadsafe(self._wait_for_choice(), loop).result()
        try:
            network = make(self.alike)
            self._note(network.engine.name, network.engine.precision)
            return network
        finally:
            chosen = Message("chosen", {"alike": self.alike})
            loop.call_soon_threadsafe(self._channel.tell, chosen)

    def listens(self) -> None:
        """Say that the port is open."""
        self._channel.tell(Message("listens"))

    async def metrics(self) -> Collected:
        """Those of all workers together. Raises UnavailableError."""
        try:
            answer = await self._channel.ask(Message("metrics"), _READING_S)
        except GoneError as error:
            # Those of this worker alone would look like counters that were set back.
            raise UnavailableError(
                f"the metrics of all workers cannot be read: {error}; try again later"
            ) from None
        return Collected(json.loads(answer.body))

    async def page(self, since: int) -> dict[int, Any]:
        """What each worker shows on the page, from a second on and by its number; None of one that does not answer. Raises GoneError."""
        answer = await self._channel.ask(Message("page", {"since": since}), _READING_S)
        return {int(number): part for number, part in json.loads(answer.body).items()}

    async def profile(self, data: bytes, client: str) -> None:
        """Have all others keep a profile for this client before its frames come. Raises OverQuotaError where one has no place for it.

        A worker that does not answer is no obstacle: it has ended, or will say that the profile is missing, which brings it again.
        """
        try:
            answer = await self._channel.ask(Message("profile", {"client": client}, data), _SPREADING_S)
        except GoneError:
            return
        if refused := answer.fields.get("refused"):
            raise OverQuotaError(f"in another worker: {refused}")

    async def loaded(self, digest: str) -> None:
        """Wait until all others have loaded this network too, so that all take it at once: replies name the current one, and edges
        that follow it would go to and fro. A worker that cannot load it is waited for a minute.
        """
        try:
            await self._channel.ask(Message("loaded", {"digest": digest}), _LOADED_S)
        except GoneError as error:
            _log.warning(
                "another worker has not loaded the new network, which is taken without it: %s", error
            )

    async def session(self, name: str, session: Session | None) -> None:
        """Have all others know a session by the hash of its key; None: it is over."""
        fields: dict[str, Any] = {"name": name, "session": None}
        if session:
            fields["session"] = [session.token.hex(), session.form_key, session.begun, session.used]
        try:
            await self._channel.ask(Message("session", fields), _SESSION_S)
        except GoneError:
            return

    def _note(self, engine: str, precision: str) -> None:
        if precision != "int8":
            self.alike = self.alike or (engine, precision)

    async def _wait_for_choice(self) -> None:
        try:
            answer = await self._channel.ask(Message("choosing"), _CHOOSING_S)
        except GoneError:
            return
        if alike := answer.fields["alike"]:
            self.alike = tuple(alike)
